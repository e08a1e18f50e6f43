import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderEdit, HeaderOption } from '../config.ts'
import type { Headers } from '../http/headers.ts'
import { isFault } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { editReply, editRequest } from './edit-headers.ts'

const option = (how: HeaderOption['how'], rawName: string, value: string): HeaderOption => ({
  name: rawName.toLowerCase(),
  rawName,
  value,
  how,
})
const lines = (headers: Headers): readonly string[] => headers.map(({ rawName, value }) => `${rawName}: ${value}`)

/** What goes on of `a: 1, b: 2`. */
async function edited(...edits: readonly HeaderEdit[]): Promise<readonly string[]> {
  let seen: Headers = []
  const service = editRequest(edits)?.((call) => {
    seen = call.headers
    return Promise.resolve(makeReply())
  })
  await service?.(makeCall({ headers: { a: '1', b: '2' } }))
  return lines(seen)
}

test('removed, overwritten, added: in this order, whatever the order of the list', async () => {
  const options = [option('append', 'A', '3'), option('overwrite', 'X-Set', 's'), option('append', 'x-set', 't')]
  assert.deepEqual(await edited({ remove: ['b'], options }), ['a: 1', 'X-Set: s', 'A: 3', 'x-set: t'])
  assert.deepEqual(await edited({ remove: ['a'], options: [option('overwrite', 'b', 'x')] }), ['b: x'])
})

test('what depends on presence asks after the removals', async () => {
  const options = [
    option('if-absent', 'a', 'again'),
    option('if-absent', 'b', 'no'),
    option('overwrite-if-present', 'b', 'over'),
    option('overwrite-if-present', 'c', 'no'),
  ]
  assert.deepEqual(await edited({ remove: ['a'], options }), ['b: over', 'a: again'])
})

test('a later edit sees what an earlier one has left', async () => {
  const first = { remove: [], options: [option('overwrite', 'a', 'first')] }
  const second = { remove: [], options: [option('overwrite', 'a', 'second')] }
  assert.deepEqual(await edited(first, second), ['b: 2', 'a: second'])
})

test('a value beyond ASCII goes out as its UTF-8 bytes', async () => {
  assert.deepEqual(await edited({ remove: ['a', 'b'], options: [option('append', 'x', 'ü')] }), ['x: Ã¼'])
})

test('replies are edited, our own refusals are not; nothing to do is no layer', async () => {
  const layer = editReply([{ remove: [], options: [option('append', 'x', '1')] }])
  const reply = await layer?.(() => Promise.resolve(makeReply(204)))(makeCall())
  assert.ok(reply !== undefined && !isFault(reply))
  assert.deepEqual(lines(reply.headers), ['x: 1'])
  const fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: 'c' } as const
  assert.equal(await layer?.(() => Promise.resolve(fault))(makeCall()), fault)
  assert.equal(editRequest([]), undefined)
  assert.equal(editReply(undefined), undefined)
})

test('a value that comes out empty makes no field, and overwrites none', async () => {
  const made = (name: string, from: string, how: HeaderOption['how']): HeaderOption => ({
    name,
    rawName: name,
    value: [{ kind: 'request-header', names: [from] }],
    how,
  })
  const options = [made('x-a', 'a', 'append'), made('x-b', 'x-gone', 'append'), made('b', 'x-gone', 'overwrite')]
  assert.deepEqual(await edited({ remove: [], options }), ['a: 1', 'b: 2', 'x-a: 1'])
  const layer = editReply([{ remove: [], options: [made('x-a', 'a', 'overwrite')] }])
  const reply = await layer?.(() => Promise.resolve(makeReply(204)))(makeCall({ headers: { a: '1' } }))
  assert.ok(reply !== undefined && !isFault(reply))
  assert.deepEqual(lines(reply.headers), ['x-a: 1'])
})
