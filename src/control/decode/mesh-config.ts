import { boolean, mismatch, object, oneOf, refine, withDefault, type Decoder } from '../../base/decode.ts'

/** weft.dev MeshConfig: what holds for the whole mesh. There is one, called "default". */
export interface MeshConfigSpec {
  readonly outboundTraffic: 'AllowAny' | 'RegisteredOnly'
  readonly accessLog: boolean
  readonly loadBalancing: 'PeakEWMA' | 'LeastRequest' | 'RoundRobin'
}

/** What holds without one. */
export const defaultMeshConfig: MeshConfigSpec = {
  outboundTraffic: 'AllowAny',
  accessLog: false,
  loadBalancing: 'PeakEWMA',
}

interface Written {
  readonly outboundTraffic: { readonly mode: 'AllowAny' | 'RegisteredOnly'; readonly udp: 'Refuse' }
  readonly accessLog: { readonly enabled: boolean }
  readonly loadBalancing: 'PeakEWMA' | 'LeastRequest' | 'RoundRobin'
}

/** Of captured programs, other than DNS: there is nothing yet that could carry it out of their namespaces. */
const udp: Decoder<'Refuse'> = (value, path, issues) =>
  value === 'Refuse'
    ? value
    : mismatch(
        issues,
        path,
        '"Refuse"',
        value,
        'datagrams other than DNS cannot leave a captured program yet; run it with --capture explicit',
      )

export const meshConfigSpec: Decoder<MeshConfigSpec> = refine(
  object<Written>({
    outboundTraffic: withDefault(
      object<Written['outboundTraffic']>({
        mode: withDefault(oneOf('AllowAny', 'RegisteredOnly'), 'AllowAny'),
        udp: withDefault(udp, 'Refuse'),
      }),
      { mode: 'AllowAny', udp: 'Refuse' },
    ),
    accessLog: withDefault(object<Written['accessLog']>({ enabled: boolean }), { enabled: false }),
    loadBalancing: withDefault(oneOf('PeakEWMA', 'LeastRequest', 'RoundRobin'), 'PeakEWMA'),
  }),
  ({ outboundTraffic, accessLog, loadBalancing }) => ({
    outboundTraffic: outboundTraffic.mode,
    accessLog: accessLog.enabled,
    loadBalancing,
  }),
)
