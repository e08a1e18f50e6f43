import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createJoinTokens, parseJoinToken, type JoinTokens } from './join-token.ts'

const rootHash = `sha256:${'ab'.repeat(32)}`
const folder = (t: { after(done: () => void): void }): string => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-token-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}
const tokensIn = (dir: string, clock = manualClock(1000)): JoinTokens => {
  const tokens = createJoinTokens({ dir, clock })
  if ('refused' in tokens) throw new Error(tokens.refused)
  return tokens
}
const secretOf = (token: string): string => {
  const parsed = parseJoinToken(token)
  if ('refused' in parsed) throw new Error(parsed.refused)
  return parsed.secret
}
const wish = { ttlMs: 60_000, address: '10.0.0.1:15012', rootHash }

test('one string carries the address, the pinned root and the secret', (t) => {
  const token = tokensIn(folder(t)).issue({ ...wish, namespace: 'shop', serviceAccount: 'web' })
  assert.match(token, /^weft1\.[A-Za-z0-9_-]+$/)
  const parsed = parseJoinToken(`  ${token}\n`)
  assert.ok(!('refused' in parsed))
  assert.deepEqual(parsed.address, { host: '10.0.0.1', port: 15012 })
  assert.equal(parsed.rootHash, rootHash)
})

test('a token is good until it expires, also for a control plane that was restarted', (t) => {
  const dir = folder(t)
  const secret = secretOf(tokensIn(dir).issue({ ...wish, namespace: 'shop', serviceAccount: 'web' }))
  const clock = manualClock(1000)
  const tokens = tokensIn(dir, clock)
  assert.deepEqual(tokens.verify(secret), { namespace: 'shop', serviceAccount: 'web' })
  clock.advance(59_999)
  assert.ok(!('refused' in tokens.verify(secret)))
  clock.advance(1)
  const late = tokens.verify(secret)
  assert.ok('refused' in late)
  assert.match(late.refused, /^the join token expired at 1970-01-01T00:01:01\.000Z; make a new one/)
})

test('a token without bounds gives the choice to its bearer', (t) => {
  const tokens = tokensIn(folder(t))
  assert.deepEqual(tokens.verify(secretOf(tokens.issue(wish))), {})
})

test('foreign and damaged secrets are told apart', (t) => {
  const tokens = tokensIn(folder(t))
  const why = (secret: string): string => {
    const verdict = tokens.verify(secret)
    return 'refused' in verdict ? verdict.refused : 'good'
  }
  const secret = secretOf(tokens.issue(wish))
  assert.equal(why(secret), 'good')
  assert.match(why(secretOf(tokensIn(folder(t)).issue(wish))), /made by another control plane/)
  const [body = '', id = '', sum = ''] = secret.split('.')
  const forged = Buffer.from(JSON.stringify({ exp: 9e12 })).toString('base64url')
  for (const bad of [
    '',
    'x',
    secret.slice(0, -1),
    `${forged}.${id}.${sum}`,
    `${body}.${id}.${'A'.repeat(43)}`,
    'x'.repeat(1e5),
  ]) {
    assert.match(why(bad), /is damaged; copy it again/, bad.slice(0, 40))
  }
})

test('a session token is no join token, and the other way round', (t) => {
  const tokens = tokensIn(folder(t))
  const session = {
    namespace: 'shop',
    workload: 'web-abcde',
    instance: 'i1',
    spiffeId: 'spiffe://weft.local/ns/shop/sa/web',
  }
  const sealed = tokens.sealSession(session)
  assert.deepEqual(tokens.unsealSession(sealed), session)
  assert.ok('refused' in tokens.verify(sealed))
  assert.equal(tokens.unsealSession(secretOf(tokens.issue(wish))), undefined)
})

test('what is no token is refused with the reason', (t) => {
  const token = tokensIn(folder(t)).issue(wish)
  const why = (text: string): string => {
    const parsed = parseJoinToken(text)
    return 'refused' in parsed ? parsed.refused : 'good'
  }
  assert.match(why('hello'), /no join token \(one begins with "weft1\."\)/)
  for (const bad of [
    'weft1.',
    token.slice(0, -9),
    `weft1.${Buffer.from('{"address":"x"}').toString('base64url')}`,
    `weft1.${'A'.repeat(1e6)}`,
  ]) {
    assert.match(why(bad), /damaged/)
  }
})

test('the key is 0600; a damaged one is refused', (t) => {
  const dir = folder(t)
  tokensIn(dir)
  const file = path.join(dir, 'seal.key')
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
  fs.writeFileSync(file, 'zz')
  const tokens = createJoinTokens({ dir, clock: manualClock() })
  assert.ok('refused' in tokens)
  assert.match(tokens.refused, /seal\.key is damaged; remove it/)
})
