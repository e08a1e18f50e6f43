import type { Socket } from 'node:net'
import type { NamedPort, Route, RouteTable } from './config.ts'
import { readClientHello } from './detect/client-hello.ts'
import { peek } from './detect/peek.ts'
import { compileDomains, type DomainIndex } from './route/domain-index.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { tunnelPlan, type TcpPlan } from './tcp.ts'

/** A client of TLS speaks first: so long it may take for that, ms. */
const helloMs = 10_000

/**
 * Where the raw bytes for a service port go: by its routes, where it has some, else to its own cluster. The connection is only looked into
 * when a route asks for the TLS server name. Undefined: no route is for it, or it has gone.
 */
export async function rawPlan(
  name: string,
  socket: Socket,
  parts: {
    readonly current: () => Snapshot
    readonly demand: (name: string) => Promise<boolean>
    readonly shared: Pick<Shared, 'clock' | 'used'>
  },
): Promise<Omit<TcpPlan, 'accessLog'> | undefined> {
  const { current, demand, shared } = parts
  shared.used.add(name)
  const routed = namedPort(name, current())?.routed === true
  const { routes, clusters } = current().config
  if (!(routed ? routes : clusters).has(name)) await demand(name)
  if (!routed) return { ...tunnelPlan, clusters: [{ cluster: name, weight: 1 }] }
  const table = current().config.routes.get(name)
  if (table === undefined) return undefined
  const serverName = asksForName(table) ? await serverNameOf(socket, parts) : ''
  const route = rawRoute(table, serverName)
  if (route?.action.kind !== 'forward') return undefined
  return { ...tunnelPlan, clusters: route.action.clusters, ...(route.origin && { origin: route.origin }) }
}

/** How a service port of the mesh (`<namespace>/<service>/<port>`) is declared. */
export function namedPort(name: string, { config }: Pick<Snapshot, 'config'>): NamedPort | undefined {
  const [namespace, service, port] = name.split('/')
  return config.names.get(`${namespace}/${service}`)?.ports.find((one) => String(one.port) === port)
}

const asksForName = ({ virtualHosts }: RouteTable): boolean =>
  virtualHosts.some(({ domains }) => domains.some((domain) => domain !== '*'))

const indexes = new WeakMap<RouteTable, DomainIndex>()

/** The route for a TLS server name; "": none was given. Undefined: there is none. Pure. */
export function rawRoute(table: RouteTable, serverName: string): Route | undefined {
  let index = indexes.get(table)
  if (index === undefined) indexes.set(table, (index = compileDomains(table.virtualHosts)))
  const found = index(serverName)
  return found === undefined ? undefined : table.virtualHosts[found]?.routes[0]
}

async function serverNameOf(socket: Socket, { shared }: { readonly shared: Pick<Shared, 'clock'> }): Promise<string> {
  const peeked = await peek(socket, readClientHello, helloMs, shared.clock)
  return peeked.kind === 'seen' && peeked.seen !== 'other' ? (peeked.seen.serverName ?? '') : ''
}
