import { invalid, object, optional, refine, string, withDefault, type Decoder } from '../../base/decode.ts'
import { label, portNumber, subdomain } from './names.ts'
import { destinationGroups, type DestinationKind } from './service-ref.ts'

/** API group of Gateways and routes. */
export const gatewayGroup = 'gateway.networking.k8s.io'

/** What a route attaches to: a Service (GAMMA), an ExternalService, or listeners; without a namespace of the route's own. */
export interface ParentRef {
  readonly group: string
  readonly kind: ListenerOwnerKind | DestinationKind
  readonly namespace?: string
  readonly name: string
  /** Name of the port or the listener; with `port` both must fit. Without either all of them. */
  readonly sectionName?: string
  readonly port?: number
}

/** What has listeners. */
export type ListenerOwnerKind = 'Gateway' | 'ListenerSet'

const groups: Readonly<Record<ParentRef['kind'], string>> = {
  Gateway: gatewayGroup,
  ListenerSet: gatewayGroup,
  ...destinationGroups,
}

/** Whether it is about what comes from outside. */
export const namesListeners = (kind: ParentRef['kind']): kind is ListenerOwnerKind =>
  kind === 'Gateway' || kind === 'ListenerSet'

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
    if (!Object.hasOwn(groups, kind)) {
      const message = `a route attaches to a Gateway, a ListenerSet, a Service (group "") or an ExternalService (group "weft.dev"), got ${JSON.stringify(kind)}`
      issues.push({ path: `${path}.kind`, message })
      return invalid
    }
    const known = kind as ParentRef['kind'] // one of the table's own keys
    if (groups[known] === group) return { group, kind: known, ...ref }
    const a = known === 'ExternalService' ? 'an' : 'a'
    const message = `${a} ${kind} is of group ${JSON.stringify(groups[known])}, got ${JSON.stringify(group)}`
    issues.push({ path: `${path}.group`, message })
    return invalid
  },
)
