import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { headerField, type Headers } from '../http/headers.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import type { SpanPlace } from './tracer.ts'
import { zipkinTracer } from './zipkin-tracer.ts'

const own = { wideIds: false, sharesSpans: true, alwaysServer: false, alsoW3c: false }
const build = ({
  egress = false,
  attempts = false,
  ...more
}: Partial<typeof own & { egress: boolean; attempts: boolean }>) =>
  zipkinTracer({ egress, attempts }, { kind: 'zipkin', ...own, ...more }, seeded(1))
const traceId = '0af7651916cd43dd8448eb211c80319c'
const span = 'b7ad6b7169203331'
const one = (b3: string): Headers => [headerField('b3', b3)]

test('a server has the span of its client, unless they are not shared; a client has one of its own below it', () => {
  const caller = one(`${traceId}-${span}-1-00f067aa0ba902b7`)
  const shared: SpanPlace = {
    traceId,
    spanId: span,
    parentId: '00f067aa0ba902b7',
    sampled: true,
    state: '',
    inOne: true,
  }
  assert.deepEqual(build({}).join(caller, false), shared)
  for (const more of [{ alwaysServer: true }, { attempts: true }]) {
    const tracer = build({ ...more, egress: true })
    assert.equal(tracer.kind, 'server')
    assert.deepEqual(tracer.join(caller, false), shared)
  }
  for (const more of [{ sharesSpans: false }, { egress: true }]) {
    const tracer = build(more)
    const place = tracer.join(caller, false)
    assert.equal(tracer.kind, 'egress' in more ? 'client' : 'server')
    assert.deepEqual(place, { ...shared, spanId: place?.spanId, parentId: span })
    assert.notEqual(place?.spanId, span)
  }
})

test('what the caller says of sampling counts, and our own decision where it says nothing', () => {
  const tracer = build({})
  for (const wanted of [true, false]) {
    assert.equal(tracer.join(one('1'), wanted)?.sampled, true)
    assert.equal(tracer.join(one(`${traceId}-${span}-0`), wanted)?.sampled, false)
    assert.equal(tracer.join(one(`${traceId}-${span}`), wanted)?.sampled, wanted)
    assert.equal(tracer.join([], wanted)?.sampled, wanted)
    assert.equal(tracer.join(one('nonsense'), wanted), undefined)
  }
})

test('a trace that begins here has the id of its first span, and as many bits more as are wanted', () => {
  const short = build({}).join([], true)
  assert.match(short?.spanId ?? '', /^[0-9a-f]{16}$/)
  assert.deepEqual([short?.traceId, short?.parentId, short?.inOne], [short?.spanId, '', false])
  const wide = build({ wideIds: true }).join([], true)
  assert.equal(wide?.traceId.length, 32)
  assert.equal(wide?.traceId.slice(16), wide?.spanId)
  assert.equal(build({ egress: true }).nameOf(makeCall({})), 'web.test')
})

test('W3C Trace Context is read where there is no B3, and written besides', () => {
  const parent = headerField('traceparent', `00-${'0'.repeat(16)}${traceId.slice(16)}-${span}-01`)
  assert.notEqual(build({}).join([parent], false)?.spanId, span)
  const tracer = build({ alsoW3c: true })
  const place = tracer.join([parent], false)
  assert.deepEqual(place, {
    traceId: traceId.slice(16),
    spanId: span,
    parentId: '',
    sampled: true,
    state: '',
    inOne: false,
  })
  assert.ok(place)
  assert.deepEqual(
    tracer.tell(place).map(({ name, value }) => [name, value]),
    [
      ['x-b3-traceid', traceId.slice(16)],
      ['x-b3-spanid', span],
      ['x-b3-sampled', '1'],
      ['traceparent', parent.value],
    ],
  )
  assert.ok(tracer.replaces('traceparent', place) && !tracer.replaces('x-b3-parentspanid', place))
  assert.equal(tracer.join([parent, ...one('0')], true)?.sampled, false)
})
