import assert from 'node:assert/strict'
import { readHttpOpening } from '../../../src/proxy/detect/http-opening.ts'
import type { Target } from '../target.ts'

/** Whatever was decided about a beginning stays decided, however the rest looks. */
export const httpOpening: Target = {
  name: 'http-opening',
  seeds: ['GET /path?q HTTP/1.1\r\nHost: a\r\n\r\n', 'POST / HTTP/1.0\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'].map(
    (text) => Buffer.from(text),
  ),
  words: ['\r\n', '\n', ' ', 'PRI * HTTP/2.0', ' HTTP/1.1', '\x16\x03\x01', 'x'.repeat(64)],
  async read(pieces) {
    const whole = readHttpOpening(Buffer.concat(pieces))
    let seen = Buffer.alloc(0)
    for (const piece of pieces) {
      seen = Buffer.concat([seen, piece])
      const early = readHttpOpening(seen)
      if (early !== 'more') assert.equal(early, whole, `after ${seen.length} bytes`)
    }
    return whole
  },
}
