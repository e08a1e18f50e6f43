import { once } from 'node:events'
import net from 'node:net'
import type { Random } from './random.ts'

/** Below the ports that systems give to outgoing connections (Linux from 32768 on, macOS from 49152 on), which come and go. */
const from = 20_000
const to = 32_000

/**
 * So many different TCP ports of 127.0.0.1 that nobody listens on now, for programs that must be told their port. They are let go
 * before this returns, so somebody else may still take one: use them soon.
 */
export async function freePorts(count: number, random: Random): Promise<readonly number[]> {
  const servers: net.Server[] = []
  while (servers.length < count) {
    const server = await tryPort(from + random.index(to - from))
    if (server !== undefined) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

function tryPort(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server))
  })
}
