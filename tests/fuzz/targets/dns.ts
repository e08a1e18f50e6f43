import assert from 'node:assert/strict'
import { readQuery } from '../../../src/proxy/dns/message.ts'
import type { Target } from '../target.ts'

/** A query with one question. */
function query(name: string, type: number, more = ''): Buffer {
  const labels = name.split('.').map((label) => `${String.fromCharCode(label.length)}${label}`)
  return Buffer.from(
    `\x12\x34\x01\0\0\x01\0\0\0\0\0${more === '' ? '\0' : '\x01'}${labels.join('')}\0\0${String.fromCharCode(type)}\0\x01${more}`,
    'latin1',
  )
}

/** Questions come whole, in a packet, so that only what is made of them is tried. */
export const dnsQuery: Target = {
  name: 'dns-query',
  seeds: [
    query('web', 1),
    query('web.default.svc.cluster.local', 28),
    query('_http._tcp.web.default', 33, '\0\0\x29\x10\0\0\0\0\0\0\0'),
    query(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`, 1),
  ],
  words: ['\xc0\x0c', '\0', '\x3f', '\x40', '\xff\xff', '\0\x01\0\x01'],
  read: async (pieces) => {
    const bytes = Buffer.concat(pieces)
    const read = readQuery(bytes)
    if (typeof read !== 'string') assert.ok(read.end <= bytes.length && read.name.length <= 255)
    return JSON.stringify(read)
  },
}
