import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerPacket } from './ip-datagram.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

test('an answer goes from where the question was for to where it came from', () => {
  // 192.0.2.1:40000 → 192.0.2.7:123, carrying "hi".
  const answer = answerPacket(hex('04 c0000201 9c40 c0000207 007b 6869'))
  assert.deepEqual(answer?.packet, hex('45000000 00000000 40110000 c0000207 c0000201  007b 9c40 000a 0000 6869'))
  assert.deepEqual([...(answer?.to ?? [])], [192, 0, 2, 1])
})

test('over IPv6 it has a checksum, also for an odd length', () => {
  const ends = '10 00000000000000000000000000000001 9c40 20010db8000000000000000000000010 0463'
  for (const payload of ['6869', '686921', '', 'ffff'.repeat(700)]) {
    const packet = answerPacket(hex(ends + payload))?.packet
    assert.ok(packet !== undefined)
    assert.equal(packet.readUInt16BE(4), 8 + payload.length / 2)
    // All words, pseudo header and checksum itself, add up to ones. Source: RFC 1071.
    const padded = Buffer.concat([packet.subarray(8), Buffer.alloc(packet.length % 2)])
    let sum = packet.readUInt16BE(4) + 17
    for (let at = 0; at < padded.length; at += 2) sum += padded.readUInt16BE(at)
    while (sum > 0xff_ff) sum = (sum & 0xff_ff) + (sum >>> 16)
    assert.equal(sum, 0xff_ff, payload.slice(0, 8))
  }
})

test('what is no frame, or fits into no packet, is left out', () => {
  assert.equal(answerPacket(hex('04 c0000201')), undefined)
  assert.equal(answerPacket(Buffer.alloc(0)), undefined)
  assert.equal(answerPacket(Buffer.concat([hex('04 c0000201 9c40 c0000207 007b'), Buffer.alloc(65_508)])), undefined)
})
