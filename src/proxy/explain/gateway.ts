import { gatewayNames } from '../../xds/names.ts'
import { authorityAddress } from '../along-route.ts'
import type { HttpTerminal, Listener, ProxyConfig, RouteTable } from '../config.ts'
import { chainChooser } from '../detect/choose-chain.ts'
import type { ExplainRequest } from './request.ts'

/** Where a request from outside comes in at a gateway. */
export interface GatewayEntry {
  readonly listener: string
  readonly chain: string
  readonly terminal: HttpTerminal
  readonly table: RouteTable
}

const isEdge = ({ filterChains }: Listener): boolean =>
  filterChains.some(({ terminal }) => terminal.kind === 'http' && terminal.edge !== undefined)

/** The listener, chain and routes for a request; a sentence where it would not get so far. Undefined: this is no gateway. */
export function gatewayEntry(
  { authority, scheme = 'http' }: Pick<ExplainRequest, 'authority' | 'scheme'>,
  { listeners, routes }: ProxyConfig,
): GatewayEntry | { readonly sentence: string } | undefined {
  const edges = [...listeners.values()].filter(isEdge)
  if (edges.length === 0) return undefined
  const tls = scheme === 'https'
  const { host, port } = authorityAddress(authority, tls ? 443 : 80)
  // Named after the port that the Gateway says; another one may be bound.
  const listener = edges.find(({ name }) => name.split('/')[1] === String(port))
  if (listener === undefined) {
    const there = edges.map(({ name }) => name.slice(gatewayNames.length).split('/')[0]).join(', ')
    return { sentence: `this gateway has no listener on port ${port} (but ${there})` }
  }
  const chain = chainChooser(listener)({
    destination: listener.address,
    source: { host: '127.0.0.1', port: 0 },
    directSource: '127.0.0.1',
    serverName: tls ? host.toLowerCase() : undefined,
    transportProtocol: tls ? 'tls' : 'raw_buffer',
    applicationProtocols: [],
  })
  if (chain?.terminal.kind !== 'http' || (tls && chain.tls === undefined))
    return { sentence: `listener ${listener.name} takes no ${scheme} for ${host}: the connection is closed` }
  const { terminal } = chain
  const table = 'inline' in terminal.routes ? terminal.routes.inline : routes.get(terminal.routes.named)
  if (table === undefined) return { sentence: `the routes of listener ${listener.name} have not come yet` }
  return { listener: listener.name, chain: chain.name, terminal, table }
}
