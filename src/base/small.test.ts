// The small things of base, a few cases each.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAddress, parseAddress } from './address.ts'
import { formatDurationMs, parseDurationMs } from './duration.ts'
import { textLog } from './log.ts'
import { formatProblem, hasErrors, type Problem } from './problem.ts'
import { seeded } from './random.ts'
import { formatSpiffeId, parseSpiffeId } from './spiffe-id.ts'
import { manualClock } from './testing/manual-clock.ts'
import { settable } from './watchable.ts'

test('durations: Gateway API form both ways', () => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['2s', 2000],
    ['1h30m', 5_400_000],
    ['1m30s', 90_000],
    ['0s', 0],
  ] as const) {
    assert.equal(parseDurationMs(text), ms)
    assert.equal(formatDurationMs(ms), text)
  }
  for (const text of ['', '5', '1.5s', '-1s', '1 s', '123456s', '1h1m1s1ms1h', 's'])
    assert.equal(parseDurationMs(text), undefined, text)
})

test('addresses: IPv4, names and IPv6 both ways; nonsense is undefined', () => {
  for (const text of ['127.0.0.1:80', 'example.test:443', '[::1]:15012']) {
    const address = parseAddress(text)
    assert.ok(address)
    assert.equal(formatAddress(address), text)
  }
  for (const text of ['', ':80', 'host', 'host:', 'host:x', 'host:65536', 'host:-1', '[]:1'])
    assert.equal(parseAddress(text), undefined, text)
})

test('SPIFFE IDs: only our shape is an identity', () => {
  const uri = 'spiffe://weft.local/ns/default/sa/web'
  const id = parseSpiffeId(uri)
  assert.deepEqual(id, { trustDomain: 'weft.local', namespace: 'default', serviceAccount: 'web' })
  assert.equal(formatSpiffeId(id), uri)
  for (const bad of [
    '',
    'spiffe://',
    'spiffe://td/ns/a/sa/',
    'spiffe://td/ns/a/sa/b/c',
    'spiffe://TD/ns/a/sa/b',
    `${uri}\n`,
    ` ${uri}`,
    'spiffe:///ns/a/sa/b',
  ])
    assert.equal(parseSpiffeId(bad), undefined, bad)
})

test('the manual clock fires timers in order, each at its own instant, and knows what is left', () => {
  const clock = manualClock()
  const seen: string[] = []
  clock.after(20, () => seen.push(`b@${clock.nowMs()}`))
  clock.after(10, () => {
    seen.push(`a@${clock.nowMs()}`)
    clock.after(5, () => seen.push(`nested@${clock.nowMs()}`))
  })
  const beat = clock.every(8, () => seen.push(`beat@${clock.nowMs()}`))
  clock.advance(20)
  assert.deepEqual(seen, ['beat@8', 'a@10', 'nested@15', 'beat@16', 'b@20'])
  beat.cancel()
  assert.equal(clock.pending, 0)
})

test('sleep ends by time or by abort, and leaves no timer', async () => {
  const clock = manualClock()
  const slept = clock.sleep(10)
  clock.advance(10)
  await slept
  const abort = new AbortController()
  const cut = clock.sleep(10, abort.signal)
  abort.abort(new Error('enough'))
  await assert.rejects(cut, /enough/)
  assert.equal(clock.pending, 0)
})

test('seeded chance repeats itself and stays in range', () => {
  const draw = (seed: number): number[] =>
    Array.from(
      { length: 100 },
      (
        (random) => () =>
          random.index(6)
      )(seeded(seed)),
    )
  assert.deepEqual(draw(7), draw(7))
  assert.notDeepEqual(draw(7), draw(8))
  assert.ok(draw(7).every((face) => face >= 0 && face < 6))
})

test('a watchable tells of changes, not of equal values; a stopped watcher hears nothing', () => {
  const level = settable(1)
  const heard: number[] = []
  const stop = level.watch((value) => heard.push(value))
  level.set(1)
  level.set(2)
  stop()
  level.set(3)
  assert.deepEqual(heard, [2])
  assert.equal(level.value, 3)
})

test('log lines carry time, level, part and quoted facts, up to the level asked for', () => {
  const lines: string[] = []
  const log = textLog({ part: 'sidecar', level: 'info', write: (line) => lines.push(line), wallMs: () => 0 })
  log.named('xds').warn('stream lost', { after: 5, reason: 'peer reset\nit', none: undefined })
  log.debug('not shown')
  assert.deepEqual(lines, ['1970-01-01T00:00:00.000Z warn sidecar/xds: stream lost after=5 reason="peer reset\\nit"\n'])
})

test('a problem names place, resource, field and remedy', () => {
  const problem: Problem = {
    severity: 'error',
    resource: 'HTTPRoute default/x',
    field: 'spec.rules',
    message: 'expected a list',
    place: { file: 'x.yaml', line: 3 },
  }
  assert.equal(formatProblem(problem), 'x.yaml:3: HTTPRoute default/x: spec.rules: expected a list')
  assert.equal(
    formatProblem({ severity: 'warning', resource: 'Service default/x', field: '', message: 'selects nothing' }),
    'warning: Service default/x: selects nothing',
  )
  assert.equal(hasErrors([problem]), true)
})
