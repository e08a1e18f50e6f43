import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headBytes, headPlaces, readFrame } from './datagram-frame.ts'

test('a frame tells both ends and what it carries, of either family; what is cut is none', () => {
  const v4 = Buffer.from([4, 192, 0, 2, 1, 0x9c, 0x40, 192, 0, 2, 7, 0, 123, 104, 105])
  const read = readFrame(v4)
  assert.deepEqual(
    [read?.source, read?.destination, read?.payload.toString()],
    [{ host: '192.0.2.1', port: 40_000 }, { host: '192.0.2.7', port: 123 }, 'hi'],
  )
  assert.equal(read?.head.length, headBytes(4))
  const v6 = Buffer.alloc(headBytes(16))
  v6[0] = 16
  const { source, destination } = headPlaces(16)
  v6[source + 15] = 1
  v6.set([0x20, 1, 0x0d, 0xb8], destination)
  v6.writeUInt16BE(443, destination + 16)
  const other = readFrame(v6)
  assert.deepEqual(
    [other?.source.host, other?.destination, other?.payload.length],
    ['::1', { host: '2001:db8::', port: 443 }, 0],
  )
  for (const cut of [0, 1, headBytes(4) - 1]) assert.equal(readFrame(v4.subarray(0, cut)), undefined)
  assert.equal(readFrame(Buffer.from([5, ...Buffer.alloc(40)])), undefined)
})
