import assert from 'node:assert/strict'
import tls from 'node:tls'
import { readClientHello } from '../../../src/proxy/detect/client-hello.ts'
import { MemorySocket, turns } from '../memory-socket.ts'
import type { Target } from '../target.ts'

/** What a real client says first. */
async function hello(options: tls.ConnectionOptions): Promise<Buffer> {
  const socket = new MemorySocket()
  const client = tls.connect({ ...options, socket: socket.asSocket() })
  client.on('error', () => {})
  await turns(5)
  client.destroy()
  return socket.bytes()
}

const text = (read: ReturnType<typeof readClientHello>): string => JSON.stringify(read)

/** Whatever was decided about a beginning stays decided, however the rest looks. */
export const clientHello: Target = {
  name: 'client-hello',
  seeds: [
    await hello({ servername: 'web.example', ALPNProtocols: ['weft', 'h2', 'http/1.1'] }),
    await hello({ maxVersion: 'TLSv1.2' }),
    Buffer.from('GET / HTTP/1.1\r\n'),
  ],
  words: ['\x16\x03\x01', '\0\0', '\0\x10', '\x01\0\x02\0', '\x02h2', '\xff\xff'],
  async read(pieces) {
    const whole = text(readClientHello(Buffer.concat(pieces)))
    let seen = Buffer.alloc(0)
    for (const piece of pieces) {
      seen = Buffer.concat([seen, piece])
      const early = text(readClientHello(seen))
      if (early !== '"more"') assert.equal(early, whole, `after ${seen.length} bytes`)
    }
    return whole
  },
}
