import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerField } from '../http/headers.ts'
import { readContext, writeParent } from './trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const read = (...fields: readonly (readonly [string, string])[]) =>
  readContext(fields.map(([name, value]) => headerField(name, value)))

test('a trace context: both ids, the flag, and what others want kept, over all its lines', () => {
  assert.deepEqual(read(['traceparent', `00-${traceId}-${spanId}-01`], ['tracestate', 'a=1'], ['tracestate', 'b=2']), {
    traceId,
    spanId,
    sampled: true,
    state: 'a=1, b=2',
  })
  assert.deepEqual(read(['traceparent', `00-${traceId.toUpperCase()}-${spanId}-02`]), {
    traceId,
    spanId,
    sampled: false,
    state: '',
  })
})

test('no context, and what is none', () => {
  assert.equal(read(['tracestate', 'a=1']), undefined)
  for (const written of [
    '',
    'nonsense',
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.slice(1)}x-${spanId}-01`,
  ])
    assert.equal(read(['traceparent', written]), 'bad', written)
})

test('what is written can be read', () => {
  for (const sampled of [true, false]) {
    const written = writeParent({ traceId, spanId, sampled })
    assert.deepEqual(read(['traceparent', written]), { traceId, spanId, sampled, state: '' })
  }
})
