import { once } from 'node:events'
import { formatAddress, type Address } from '../base/address.ts'
import { nodeHttp } from '../base/node-http.ts'
import { refused, type Refused } from '../agent/options.ts'

/** Says to load balancers whether an instance serves: `GET /healthz/ready` is 200 or 503. */
export interface Health {
  readonly address: Address
  set(ready: boolean): void
  close(): void
}

/** As Istio's users know it. */
const healthPort = 15_021

/**
 * Listens on `host`. Refused when somebody else does: of the instances that want one address only one has it, which no other way of
 * asking tells as surely as a port that is listened on.
 */
export async function startHealth(host: string): Promise<Health | Refused> {
  let ready = false
  const server = nodeHttp().createServer((request, reply) => {
    const known = request.url === '/healthz/ready'
    reply.statusCode = known ? (ready ? 200 : 503) : 404
    reply.end(known ? (ready ? 'ready\n' : 'not ready\n') : 'there is /healthz/ready here\n')
  })
  const address = { host, port: healthPort }
  try {
    server.listen(address)
    await once(server, 'listening')
  } catch (error) {
    return refused(`${formatAddress(address)}: ${error instanceof Error ? error.message : String(error)}`)
  }
  server.on('error', () => {})
  return {
    address,
    set: (now) => void (ready = now),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
