import type { Cluster } from '../config.ts'

/** What goes over a pooled connection. */
export type Protocol = Cluster['upstreamProtocol']

/** The cluster as it is for calls of one protocol; made once for each. */
export function speaking(cluster: Cluster, protocol: Protocol): Cluster {
  let both = known.get(cluster)
  if (both === undefined) {
    // Where the server chooses, all is offered first; a connection of one protocol is only asked for once that is known.
    const first = cluster.protocolBy === 'alpn' ? ['h2', 'http/1.1'] : ['h2']
    both = { h2: inProtocol(cluster, 'h2', first), 'http/1.1': inProtocol(cluster, 'http/1.1', ['http/1.1']) }
    known.set(cluster, both)
  }
  return both[protocol]
}

const known = new WeakMap<Cluster, Readonly<Record<Protocol, Cluster>>>()

function inProtocol(cluster: Cluster, upstreamProtocol: Protocol, alpn: readonly string[]): Cluster {
  const transports = Array.from(cluster.transports, ([name, secure]) => [name, secure && { ...secure, alpn }] as const)
  return { ...cluster, upstreamProtocol, transports: new Map(transports) }
}

/** The protocols that there may be connections of. */
export const protocolsOf = ({ protocolBy, upstreamProtocol }: Cluster): readonly Protocol[] =>
  protocolBy === undefined ? [upstreamProtocol] : ['http/1.1', 'h2']
