import type { MessageInitShape } from '@bufbuild/protobuf'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { parseServicePortName, servicePortName } from '../../xds/names.ts'
import type { MeshSettings, Model, PortAuthorization, Service, ServicePort, StreamHost } from '../model/model.ts'
import { forHost, splitTo } from './gateway-streams.ts'
import { weft } from './parts.ts'
import { streamsFor } from './service-streams.ts'
import { tcpFilters } from './tcp-proxy.ts'
import { inspectTls } from './tls.ts'

/** Ways inside of an Envoy, each a listener and the cluster that leads to it. */
export const tunnelName = 'outbound/tunnel'

/** A raw port whose bytes go by their TLS server name: they are looked at once they have come out of the tunnel. */
export interface NameSplit {
  readonly service: Service
  readonly port: ServicePort
  readonly streams: readonly StreamHost[]
}

/** Listener and cluster of a raw port that is split by server name. */
export const nameSplitName = ({ namespace, name }: Service, { port }: ServicePort): string =>
  `${tunnelName}/${servicePortName(namespace, name, port)}`

/** Undefined: callers of this namespace need not look into the bytes. */
export function nameSplitOf(service: Service, port: ServicePort, callers: string): NameSplit | undefined {
  const streams = streamsFor(port, callers)
  return streams?.some(({ hostname }) => hostname !== '*') ? { service, port, streams } : undefined
}

/** Names of all that callers of a namespace have. */
export const nameSplits = ({ services }: Model, callers: string): readonly string[] =>
  Array.from(services.values()).flatMap((service) =>
    service.ports
      .filter((port) => nameSplitOf(service, port, callers) !== undefined)
      .map((port) => nameSplitName(service, port)),
  )

/** The one of this name, for callers of a namespace. */
export function findNameSplit(name: string, { services }: Model, callers: string): NameSplit | undefined {
  const parsed = name.startsWith(`${tunnelName}/`) ? parseServicePortName(name.slice(tunnelName.length + 1)) : undefined
  const service = parsed && services.get(`${parsed.namespace}/${parsed.service}`)
  const port = service?.ports.find((one) => one.port === parsed?.port)
  return service && port && nameSplitOf(service, port, callers)
}

/** A chain for each server name; "*" takes the rest, plain text too. What none is for is closed. */
export function renderNameSplit(
  { service, port, streams }: NameSplit,
  { accessLog }: Pick<MeshSettings, 'accessLog'>,
): MessageInitShape<typeof ListenerSchema> {
  const name = nameSplitName(service, port)
  const serverMayBeFirst = streams.some(({ hostname }) => hostname === '*')
  return {
    name,
    listenerSpecifier: { case: 'internalListener', value: {} },
    trafficDirection: TrafficDirection.OUTBOUND,
    ...inspectTls({ limitMs: serverMayBeFirst ? 1000 : 10_000, serverMayBeFirst }),
    filterChains: streams.map(({ hostname, split }) => ({
      name: hostname,
      ...(hostname === '*' ? {} : { filterChainMatch: forHost(hostname) }),
      filters: tcpFilters(
        { authorization: everybody, targetPort: port.port },
        { statPrefix: name, accessLog, to: splitTo(split.backends) },
      ),
      metadata: weft(split.origin),
    })),
    metadata: weft(port.origin),
  }
}

/** The program's own calls: whoever receives them decides. */
const everybody: PortAuthorization = { deny: [], allow: [], allowPresent: false, audit: [] }
