import { invalid, object, optional, refine, string, withDefault, type Decoder } from '../../base/decode.ts'
import { label, portNumber, subdomain } from './names.ts'

/** API group of Gateways and routes. */
export const gatewayGroup = 'gateway.networking.k8s.io'

/** What a route attaches to: a Service (GAMMA) or a Gateway; without a namespace of the route's own. */
export interface ParentRef {
  readonly group: string
  readonly kind: 'Service' | 'Gateway'
  readonly namespace?: string
  readonly name: string
  /** Name of the port or the listener; with `port` both must fit. Without either all of them. */
  readonly sectionName?: string
  readonly port?: number
}

interface Written extends Omit<ParentRef, 'kind'> {
  readonly kind: string
}

/** Gateway API ParentReference. */
export const parentRef: Decoder<ParentRef> = refine(
  object<Written>({
    group: withDefault(string(), gatewayGroup),
    kind: withDefault(string(), 'Gateway'),
    namespace: optional(label),
    name: subdomain,
    sectionName: optional(subdomain),
    port: optional(portNumber),
  }),
  ({ group, kind, ...ref }, path, issues) => {
    // Whoever names a Service and no group means a Service.
    if (kind === 'Service' && (group === '' || group === 'core' || group === gatewayGroup))
      return { group: '', kind, ...ref }
    if (kind === 'Gateway' && group === gatewayGroup) return { group, kind, ...ref }
    const known = kind === 'Service' || kind === 'Gateway'
    issues.push(
      known
        ? {
            path: `${path}.group`,
            message: `a ${kind} is of group ${JSON.stringify(kind === 'Service' ? '' : gatewayGroup)}, got ${JSON.stringify(group)}`,
          }
        : {
            path: `${path}.kind`,
            message: `a route attaches to a Gateway or a Service (group ""), got ${JSON.stringify(kind)}`,
          },
    )
    return invalid
  },
)
