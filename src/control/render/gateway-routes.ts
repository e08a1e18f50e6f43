import type { MessageInitShape } from '@bufbuild/protobuf'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { gatewayNames } from '../../xds/names.ts'
import type { Gateway, GatewayListener, Origin, RouteRule } from '../model/model.ts'
import { renderTable, type HostRules } from './routes.ts'

/** The routes that one or several listeners share. */
export interface GatewayTable {
  readonly name: string
  readonly port: number
  /** Several HTTP listeners of a port are told apart by the host alone; each HTTPS listener has routes of its own. */
  readonly listeners: readonly GatewayListener[]
  /** The other listeners of an HTTPS port. */
  readonly others: readonly GatewayListener[]
}

/** Every route configuration of a Gateway. */
export function gatewayTables({ namespace, name, listeners }: Gateway): readonly GatewayTable[] {
  const prefix = `${gatewayNames}${namespace}/${name}`
  return [...Map.groupBy(listeners, ({ port }) => port)].flatMap(([port, there]): readonly GatewayTable[] =>
    there.some(({ protocol }) => protocol === 'https')
      ? there.map((one) => ({
          name: `${prefix}/${port}/${one.name}`,
          port,
          listeners: [one],
          others: there.filter((other) => other !== one),
        }))
      : [{ name: `${prefix}/${port}`, port, listeners: there, others: [] }],
  )
}

/**
 * A host that a listener is for and no route is 404. A host of another HTTPS listener is 421: the connection was not opened for it
 * (RFC 9110, section 15.5.20), and what that listener asks of its clients does not hold here.
 */
export function renderGatewayTable(
  { name, port, listeners, others }: GatewayTable,
  origin: Origin,
): MessageInitShape<typeof RouteConfigurationSchema> {
  const hosts = new Map<string, HostRules>()
  const add = (hostname: string, rules: readonly RouteRule[], from: Origin): void => {
    if (!hosts.has(hostname)) hosts.set(hostname, { name: hostname, domains: [hostname], rules, origin: from })
  }
  for (const listener of listeners) {
    for (const { hostname, rules } of listener.hosts) add(hostname, rules, listener.origin)
    add(listener.hostname, [], listener.origin)
  }
  for (const { hostname, origin: from } of others) add(hostname, [misdirected(from)], from)
  return renderTable(name, [...hosts.values()], { port, http2: true, counted: true }, origin)
}

const misdirected = (origin: Origin): RouteRule => ({
  name: 'misdirected',
  match: { path: { kind: 'segments', value: '/' }, method: undefined, headers: [], queryParameters: [] },
  action: {
    kind: 'fail',
    status: 421,
    reason: 'this connection is for another host; open one with the TLS server name of this one',
  },
  origin,
})
