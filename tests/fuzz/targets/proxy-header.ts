import assert from 'node:assert/strict'
import { readProxyHeader } from '../../../src/proxy/detect/proxy-header.ts'
import type { Target } from '../target.ts'

const v2 = '\r\n\r\n\0\r\nQUIT\n'

/** Whatever was decided about a beginning stays decided, however the rest looks. */
export const proxyHeader: Target = {
  name: 'proxy-header',
  seeds: [
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /',
    'PROXY TCP6 2001:db8::1 ::1 1 65535\r\n',
    'PROXY UNKNOWN\r\n',
    `${v2}\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdb\x04\x01\xbb`,
    `${v2}\x21\x21\0\x24${'\x20\x01\x0d\xb8'.padEnd(32, '\0')}\xdb\x04\x01\xbb`,
    `${v2}\x20\0\0\0`,
  ].map((text) => Buffer.from(text, 'latin1')),
  words: ['\r\n', ' ', '0', '65536', '256', '::', v2, '\xff\xff'],
  async read(pieces) {
    const whole = JSON.stringify(readProxyHeader(Buffer.concat(pieces)))
    let seen = Buffer.alloc(0)
    for (const piece of pieces) {
      seen = Buffer.concat([seen, piece])
      const early = JSON.stringify(readProxyHeader(seen))
      if (early !== '"more"') assert.equal(early, whole, `after ${seen.length} bytes`)
    }
    return whole
  },
}
