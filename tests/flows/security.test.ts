import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { runToEnd } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const strict = `
apiVersion: weft.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: all }
spec: { mtls: { mode: STRICT } }
`
const viewersOnly = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: viewers }
spec:
  selector: { matchLabels: { app: web } }
  action: ALLOW
  rules:
    - from: [{ source: { principals: [weft.local/ns/default/sa/viewer] } }]
      to: [{ operation: { methods: [GET] } }]
`

test('security: mTLS from the first request, by identity; STRICT refuses plain text and strangers', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const inbound = await freePort()
  await world.run('web', { args: ['--inbound', `127.0.0.1:${inbound}`] })
  const { body } = await world.curlUntil(client, 'http://web/', 200)
  const { headers } = JSON.parse(body) as { headers: Record<string, string> }
  assert.match(headers['x-forwarded-client-cert'] ?? '', /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/client/)
  const forged = await world.curl(client, 'http://web/', {
    headers: ['x-forwarded-client-cert: URI=spiffe://weft.local/ns/default/sa/root'],
  })
  assert.doesNotMatch(forged.body, /sa\/root/, 'what a caller claims of itself is taken off')

  const plain = await world.curl(undefined, `http://127.0.0.1:${inbound}/`)
  assert.equal(plain.status, 200, 'PERMISSIVE takes plain text')
  await world.apply(strict)
  await world.curlUntil(client, 'http://web/', 200)
  const refused = await untilRefused(() => world.curl(undefined, `http://127.0.0.1:${inbound}/`))
  assert.equal(refused.status, 0, 'STRICT closes a plain-text connection')
  assert.equal((await world.curl(client, 'http://web/')).status, 200)

  const shown = await runToEnd(
    ['openssl', 's_client', '-connect', `127.0.0.1:${inbound}`, '-alpn', 'weft,http/1.1', '-showcerts'],
    {
      env: { PATH: process.env['PATH'] ?? '' },
      cwd: world.dir,
    },
  )
  const [leaf = ''] = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(shown.out) ?? []
  const text = await runToEnd(['openssl', 'x509', '-noout', '-text'], {
    env: { PATH: process.env['PATH'] ?? '' },
    cwd: world.dir,
    input: leaf,
  })
  assert.match(text.out, /URI:spiffe:\/\/weft\.local\/ns\/default\/sa\/web/)
  assert.match(text.out, /prime256v1/)
  const stranger = await world.curl(undefined, `https://127.0.0.1:${inbound}/`, { args: ['--insecure'] })
  assert.equal(stranger.status, 0, 'no certificate, no answer')
})

/** Asks until there is no answer any more. */
async function untilRefused<T extends { status: number }>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const reply = await ask()
    if (reply.status === 0 || tries === 200) return reply
  }
}

test('security: only the allowed caller may, only what it may; a refusal says who, what and why', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const viewer = await world.run('viewer', { port: 0 })
  const other = await world.run('other', { port: 0 })
  await world.run('web')
  await world.curlUntil(other, 'http://web/', 200)
  await world.apply(viewersOnly)
  const denied = await world.curlUntil(other, 'http://web/', 403)
  assert.match(denied.body, /spiffe:\/\/weft\.local\/ns\/default\/sa\/other/, 'the refusal names the caller')
  assert.equal((await world.curl(viewer, 'http://web/')).status, 200)
  assert.equal((await world.curl(viewer, 'http://web/', { method: 'DELETE' })).status, 403)
  // Enforced where the program is: a forged header changes nothing.
  const forged = ['x-forwarded-client-cert: URI=spiffe://weft.local/ns/default/sa/viewer']
  assert.equal((await world.curl(other, 'http://web/', { headers: forged })).status, 403)
  assert.equal((await world.weft(['delete', 'authorizationpolicy', 'viewers'])).status, 0)
  await world.curlUntil(other, 'http://web/', 200)
})

test('security: AUDIT refuses nobody, and counts', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: watch-reads }
spec:
  action: AUDIT
  rules: [{ to: [{ operation: { methods: [GET] } }] }]
`)
  await until('the rule has counted', async () => {
    assert.equal((await world.curl(client, 'http://web/')).status, 200)
    const { body } = await world.curl(undefined, `${web.adminUrl}/metrics`)
    return /weft_policy_matches_total\{action="log",policy="default\/watch-reads\/rule-0"\} [1-9]/.test(body)
  })
})

test('security: what is secret is readable by its owner alone', async (t) => {
  const world = createWorld(t)
  await world.up()
  await world.run('web')
  assert.equal(fs.statSync(world.dataDir).mode & 0o777, 0o700, 'the data directory')
  for (const name of fs.readdirSync(world.dataDir, { recursive: true, encoding: 'utf8' })) {
    const stat = fs.statSync(path.join(world.dataDir, name))
    if (!stat.isDirectory()) assert.equal(stat.mode & 0o077, 0, `${name} is open to others`)
  }
  const keys = fs
    .readdirSync(world.dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('data') && fs.statSync(path.join(world.dir, name)).isFile())
    .filter((name) => fs.readFileSync(path.join(world.dir, name), 'latin1').includes('PRIVATE KEY'))
  assert.deepEqual(keys, [], 'the key of a workload never touches a disk')
})
