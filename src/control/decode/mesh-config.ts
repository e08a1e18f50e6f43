import { boolean, object, oneOf, optional, refine, withDefault, type Decoder } from '../../base/decode.ts'
import { tracingSpec, type TracingSpec } from './mesh-tracing.ts'

/** weft.dev MeshConfig: what holds for the whole mesh. There is one, called "default". */
export interface MeshConfigSpec {
  readonly outboundTraffic: 'AllowAny' | 'RegisteredOnly'
  /** Datagrams of captured programs, other than DNS. Absent: allowed where `outboundTraffic` allows any. */
  readonly outboundDatagrams?: 'Allow' | 'Refuse'
  readonly accessLog: boolean
  readonly loadBalancing: 'PeakEWMA' | 'LeastRequest' | 'RoundRobin'
  /** Absent: no spans are made. */
  readonly tracing?: TracingSpec
}

/** What holds without one. */
export const defaultMeshConfig: MeshConfigSpec = {
  outboundTraffic: 'AllowAny',
  accessLog: false,
  loadBalancing: 'PeakEWMA',
}

interface Written {
  readonly outboundTraffic: { readonly mode: 'AllowAny' | 'RegisteredOnly'; readonly udp?: 'Allow' | 'Refuse' }
  readonly accessLog: { readonly enabled: boolean }
  readonly loadBalancing: 'PeakEWMA' | 'LeastRequest' | 'RoundRobin'
  readonly tracing?: TracingSpec
}

export const meshConfigSpec: Decoder<MeshConfigSpec> = refine(
  object<Written>({
    outboundTraffic: withDefault(
      object<Written['outboundTraffic']>({
        mode: withDefault(oneOf('AllowAny', 'RegisteredOnly'), 'AllowAny'),
        udp: optional(oneOf('Allow', 'Refuse')),
      }),
      { mode: 'AllowAny' },
    ),
    accessLog: withDefault(object<Written['accessLog']>({ enabled: boolean }), { enabled: false }),
    loadBalancing: withDefault(oneOf('PeakEWMA', 'LeastRequest', 'RoundRobin'), 'PeakEWMA'),
    tracing: optional(tracingSpec),
  }),
  ({ outboundTraffic, accessLog, loadBalancing, tracing }) => ({
    outboundTraffic: outboundTraffic.mode,
    ...(outboundTraffic.udp === undefined ? {} : { outboundDatagrams: outboundTraffic.udp }),
    accessLog: accessLog.enabled,
    loadBalancing,
    ...(tracing && { tracing }),
  }),
)
