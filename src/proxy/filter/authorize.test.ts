import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded, type Random } from '../../base/random.ts'
import type { Authorization, Condition, StringMatch } from '../config.ts'
import { faultSentence } from '../http/fault.ts'
import type { HeaderField } from '../http/headers.ts'
import { isFault, type Peer } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { authorize, authorizeConnection } from './authorize.ts'
import { compileCondition, type Subject, type Truth } from './condition.ts'

const web = 'spiffe://weft.local/ns/default/sa/web'
const any: Condition = { kind: 'any' }
const match = (kind: StringMatch['kind'], value: string, ignoreCase = false): StringMatch => ({
  kind,
  value,
  ignoreCase,
})
const header = (name: string, value: string, kind: StringMatch['kind'] = 'exact'): Condition => ({
  kind: 'header',
  match: { name, match: match(kind, value), invert: false },
})
const not = (inner: Condition): Condition => ({ kind: 'not', not: inner })
const rules = (action: Authorization['action'], permission: Condition, principal: Condition = any): Authorization => ({
  action,
  policies: [{ name: 'default/rule-0', permission, principal, origin: undefined }],
})
const lines = (name: string, ...values: string[]): HeaderField[] =>
  values.map((value) => ({ name, value, rawName: name }))
const parts = { workload: 'default/catalog' }

/** What a caller gets. */
async function ask(authorization: Authorization, call: ReturnType<typeof makeCall>): Promise<number | string> {
  const answer = await authorize(authorization, parts)(() => Promise.resolve(makeReply()))(call)
  return isFault(answer) ? faultSentence(answer) : answer.status
}

test('ALLOW lets through what matches and names the caller otherwise', async () => {
  const onlyWeb = rules(
    'allow',
    { kind: 'path', match: match('prefix', '/books') },
    { kind: 'principal', match: match('exact', web) },
  )
  const asWeb = { principal: web, tls: true }
  assert.equal(await ask(onlyWeb, makeCall({ path: '/books/1?x', peer: asWeb })), 200)
  assert.equal(
    await ask(onlyWeb, makeCall({ path: '/admin', peer: asWeb })),
    `${web} may not do this: no ALLOW policy of default/catalog matches (default/rule-0)`,
  )
  assert.match(String(await ask(onlyWeb, makeCall({ path: '/books' }))), /^a caller without identity may not/)
  assert.match(String(await ask({ action: 'allow', policies: [] }, makeCall())), /there is none/)
})

test('DENY refuses what matches and names the rule; LOG refuses nothing', async () => {
  const seen: unknown[] = []
  const noted = { ...parts, matched: (action: string, rule?: { name: string }) => void seen.push([action, rule?.name]) }
  const run = (authorization: Authorization, path: string) =>
    authorize(authorization, noted)(() => Promise.resolve(makeReply()))(makeCall({ path }))
  const admin: Condition = { kind: 'path', match: match('prefix', '/admin') }
  assert.deepEqual(await run(rules('deny', admin), '/admin'), {
    kind: 'denied',
    side: 'self',
    retry: 'never',
    principal: undefined,
    policy: 'default/rule-0',
    reason: 'a DENY policy of default/catalog matches',
  })
  assert.equal(isFault(await run(rules('deny', admin), '/')), false)
  assert.equal(isFault(await run(rules('log', admin), '/admin')), false)
  assert.deepEqual(seen, [
    ['deny', 'default/rule-0'],
    ['log', 'default/rule-0'],
  ])
})

test('what was decided is noted for a log that wants to know', async () => {
  const admin: Condition = { kind: 'path', match: match('prefix', '/admin') }
  const noted = async (authorization: Authorization, path: string, wanted = true): Promise<unknown> => {
    const call = makeCall({ path })
    call.trace.detail = wanted ? { nowMs: () => 0 } : {}
    await ask(authorization, call)
    return call.trace.detail.authorized
  }
  const policy = 'default/rule-0'
  assert.deepEqual(await noted(rules('deny', admin), '/admin'), { result: 'denied', policy })
  assert.deepEqual(await noted(rules('deny', admin), '/'), { result: 'allowed', policy: undefined })
  assert.deepEqual(await noted(rules('allow', admin), '/admin'), { result: 'allowed', policy })
  assert.deepEqual(await noted(rules('allow', admin), '/'), { result: 'denied', policy: undefined })
  assert.equal(await noted(rules('log', admin), '/admin'), undefined)
  assert.equal(await noted(rules('deny', admin), '/admin', false), undefined)
})

test('a field of several values is refused by DENY and not enough for ALLOW, whichever value a program would take', async () => {
  const evil = header('x-role', 'evil')
  for (const values of [['evil'], ['good', 'evil'], ['evil', 'good'], ['good, evil'], ['good,evil '], ['', 'evil']]) {
    const call = makeCall()
    call.headers = lines('x-role', ...values)
    assert.equal(typeof (await ask(rules('deny', evil), call)), 'string', `deny ${values.join('|')}`)
    if (values.length > 1 || values[0] !== 'evil')
      assert.equal(typeof (await ask(rules('allow', evil), call)), 'string', `allow ${values.join('|')}`)
    assert.equal(typeof (await ask(rules('allow', not(evil)), call)), 'string', `allow not ${values.join('|')}`)
  }
  const agent = makeCall({ headers: { 'user-agent': 'Mozilla/5.0 (KHTML, like Gecko)' } })
  assert.equal(
    await ask(rules('allow', header('user-agent', 'Mozilla', 'prefix')), agent),
    200,
    'a comma alone is no doubt',
  )
})

test('an absent header, an odd one, an invalid regex', async () => {
  const good = header('x-role', 'good')
  assert.equal(
    typeof (await ask(rules('deny', not(good)), makeCall())),
    'string',
    'DENY unless good: absent is not good',
  )
  assert.equal(
    typeof (await ask(rules('deny', not(good)), makeCall({ headers: { 'x-role': '\u00ff\u00fe' } }))),
    'string',
  )
  const broken = header('x-role', '(', 'regex')
  assert.equal(typeof (await ask(rules('deny', broken), makeCall())), 'string')
  assert.equal(typeof (await ask(rules('allow', broken), makeCall())), 'string')
  assert.equal(typeof (await ask(rules('allow', not(broken)), makeCall())), 'string')
})

test('raw connections: what HTTP would tell is undecidable', () => {
  const peer: Peer = makeCall({ peer: { principal: web, tls: true } }).peer
  const decide = (authorization: Authorization) => authorizeConnection(authorization, parts)(peer)
  const admin: Condition = { kind: 'path', match: match('prefix', '/admin') }
  assert.equal(decide(rules('allow', { kind: 'destination-port', port: 8080 })), undefined)
  assert.equal(decide(rules('allow', { kind: 'destination-port', port: 1 }))?.kind, 'denied')
  for (const http of [admin, not(admin), header('x', 'y'), not(header('x', 'y')), header(':method', 'GET')]) {
    assert.equal(decide(rules('allow', http))?.kind, 'denied')
    assert.equal(decide(rules('deny', http))?.kind, 'denied')
  }
  assert.equal(decide(rules('deny', { kind: 'principal', match: match('suffix', '/sa/web') }))?.kind, 'denied')
  assert.equal(decide(rules('deny', admin, { kind: 'principal', match: match('suffix', '/sa/other') })), undefined)
})

test('a principal is taken literally, and plain text has none', () => {
  const is = (principal: string | undefined, one: StringMatch | undefined) =>
    compileCondition({ kind: 'principal', match: one })({ peer: { ...makeCall().peer, principal } })
  assert.equal(is('spiffe://a.b/x', match('exact', 'spiffe://a.b/x')), 'yes')
  assert.equal(is('spiffe://axb/x', match('exact', 'spiffe://a.b/x')), 'no')
  assert.equal(is(undefined, match('prefix', '')), 'no')
  assert.equal(is(undefined, undefined), 'no')
  assert.equal(is(web, undefined), 'yes')
})

test('source addresses', () => {
  const from = (host: string) =>
    compileCondition({ kind: 'source-ip', prefix: '10.0.0.0', bits: 8 })({
      peer: { ...makeCall().peer, remote: { host, port: 1 } },
    })
  assert.equal(from('10.1.2.3'), 'yes')
  assert.equal(from('::ffff:10.1.2.3'), 'yes')
  assert.equal(from('11.1.2.3'), 'no')
})

test('the evaluator agrees with a slow one that tries every reading of a request', () => {
  const random = seeded(21)
  let decided = 0
  for (let round = 0; round < 20_000; round++) {
    const condition = randomCondition(random, 3)
    const subject = randomSubject(random)
    const fast = compileCondition(condition)(subject)
    const slow = slowTruth(condition, subject)
    assert.equal(fast, slow, JSON.stringify({ condition, subject }))
    if (fast !== 'unknown') decided++
  }
  assert.ok(decided > 5_000 && decided < 19_900, `${decided} decided`)
})

const of = <T>(random: Random, ...choices: readonly T[]): T => choices[random.index(choices.length)] as T
const randomMatch = (random: Random): StringMatch =>
  match(
    of(random, 'exact', 'prefix', 'suffix', 'contains'),
    of(random, 'a', 'b', 'a, b', '/a', ''),
    random.index(2) === 0,
  )

function randomCondition(random: Random, depth: number): Condition {
  const inner = (): Condition => randomCondition(random, depth - 1)
  const kind = random.index(depth > 0 ? 9 : 5)
  if (kind === 0) return { kind: 'principal', match: random.index(3) === 0 ? undefined : randomMatch(random) }
  if (kind === 1) return { kind: 'path', match: randomMatch(random) }
  if (kind === 2) return { kind: 'destination-port', port: of(random, 80, 8080) }
  if (kind === 3 || kind === 4) {
    const one = random.index(4) === 0 ? undefined : randomMatch(random)
    return {
      kind: 'header',
      match: { name: of(random, 'x', 'y', ':method'), match: one, invert: random.index(3) === 0 },
    }
  }
  if (kind === 5) return { kind: 'and', all: Array.from({ length: random.index(4) }, inner) }
  if (kind === 6) return { kind: 'or', any: Array.from({ length: random.index(4) }, inner) }
  if (kind === 7) return { kind: 'not', not: inner() }
  return { kind: 'any' }
}

function randomSubject(random: Random): Subject {
  const { peer } = makeCall({
    peer: { principal: of(random, undefined, 'a', 'B'), local: { host: '127.0.0.1', port: of(random, 80, 8080) } },
  })
  if (random.index(4) === 0) return { peer }
  const values = Array.from({ length: random.index(3) }, () => of(random, 'a', 'b', 'A', 'a, b', 'b,a', ''))
  return {
    peer,
    method: of(random, 'a', 'B'),
    path: of(random, '/', '/a', '/a?b', '/b'),
    headers: [...lines('x', ...values), ...lines('z', 'a')],
  }
}

/** Written from the contract's words, without regard to cost: sets of possible answers instead of three values. */
function slowTruth(condition: Condition, subject: Subject): Truth {
  const flip = (answer: Truth): Truth => (answer === 'unknown' ? answer : answer === 'yes' ? 'no' : 'yes')
  const bool = (is: boolean): Truth => (is ? 'yes' : 'no')
  switch (condition.kind) {
    case 'any':
      return 'yes'
    case 'not':
      return flip(slowTruth(condition.not, subject))
    case 'and': {
      const all = condition.all.map((one) => slowTruth(one, subject))
      return all.includes('no') ? 'no' : all.includes('unknown') ? 'unknown' : 'yes'
    }
    case 'or': {
      const all = condition.any.map((one) => slowTruth(one, subject))
      return all.includes('yes') ? 'yes' : all.includes('unknown') ? 'unknown' : 'no'
    }
    case 'principal':
      return bool(
        subject.peer.principal !== undefined &&
          (condition.match === undefined || slowText(condition.match, subject.peer.principal)),
      )
    case 'destination-port':
      return bool(subject.peer.local.port === condition.port)
    case 'path':
      return subject.path === undefined ? 'unknown' : bool(slowText(condition.match, subject.path.replace(/\?.*/, '')))
    case 'source-ip':
    case 'client-ip':
      return 'unknown'
    case 'header': {
      const { name, match: one, invert } = condition.match
      if (subject.headers === undefined) return 'unknown'
      const values =
        name === ':method'
          ? [subject.method ?? '']
          : subject.headers.filter((field) => field.name === name).map((field) => field.value)
      if (one === undefined) return bool(values.length > 0 !== invert)
      assert.ok(one.kind !== 'range')
      if (values.length === 0) return 'no'
      const whole = [...values, values.join(', ')].map((value) => slowText(one, value))
      const members =
        name === ':method'
          ? []
          : values.flatMap((value) => value.split(',')).map((value) => slowText(one, value.trim()))
      const answer: Truth = whole.every(Boolean) ? 'yes' : [...whole, ...members].some(Boolean) ? 'unknown' : 'no'
      return invert ? flip(answer) : answer
    }
  }
}

function slowText({ kind, value, ignoreCase }: StringMatch, text: string): boolean {
  const [want, have] = ignoreCase ? [value.toLowerCase(), text.toLowerCase()] : [value, text]
  if (kind === 'exact') return want === have
  if (kind === 'prefix') return have.slice(0, want.length) === want
  if (kind === 'suffix') return have.length >= want.length && have.slice(have.length - want.length) === want
  return have.split(want).length > 1 || want === ''
}

test('who asks is the client that trusted proxies name, and may be another than who connects', () => {
  const ask = compileCondition({ kind: 'client-ip', prefix: '192.0.2.0', bits: 24 })
  const { peer } = makeCall({ peer: { remote: { host: '192.0.2.9', port: 1 } } })
  assert.equal(ask({ peer }), 'yes')
  assert.equal(ask({ peer, client: { host: '10.0.0.1', port: 0 } }), 'no')
})
