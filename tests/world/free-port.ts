import { once } from 'node:events'
import net from 'node:net'

const given = new Set<number>()

/** A port of loopback that nobody listens on now, and that was not given out before by this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    server.close()
    await once(server, 'close')
    if (!given.has(port)) {
      given.add(port)
      return port
    }
  }
}
