import {
  anything,
  boolean,
  invalid,
  list,
  object,
  oneOf,
  optional,
  refine,
  string,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { parseIp } from '../../base/ip-prefix.ts'
import { portNumber } from './names.ts'

/** A discovery.k8s.io EndpointSlice: instances of a Service that no Workload stands for. Its fields stand beside `metadata`. */
export interface EndpointSliceSpec {
  readonly endpoints: readonly SliceEndpoint[]
  readonly ports: readonly SlicePort[]
}

export interface SliceEndpoint {
  /** IP addresses of one instance; the first is used. Source: EndpointSlice, `endpoints[].addresses`. */
  readonly address: string
  /** Of the node that it is on; absent: nobody says. Source: EndpointSlice, `endpoints[].zone`. */
  readonly zone?: string
  readonly state: 'ready' | 'not-ready' | 'draining'
}

export interface SlicePort {
  /** Of the Service's port; "" for the only one. */
  readonly name: string
  readonly port: number
}

/** Fields of the document that are read. */
export const endpointSliceBody = ['addressType', 'endpoints', 'ports'] as const

/** Label by which a slice belongs to a Service of its namespace. Source: EndpointSlice. */
export const serviceNameLabel = 'kubernetes.io/service-name'

interface Conditions {
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}
interface WrittenEndpoint {
  readonly addresses: readonly string[]
  readonly conditions?: Conditions
  readonly hostname?: unknown
  readonly nodeName?: unknown
  readonly zone?: string
  readonly targetRef?: unknown
  readonly hints?: unknown
  readonly deprecatedTopology?: unknown
}
const ip: Decoder<string> = (value, path, issues) => {
  if (typeof value === 'string' && parseIp(value) !== undefined) return value
  issues.push({ path, message: `expected an IP address, got ${JSON.stringify(value) ?? 'nothing'}` })
  return invalid
}

const endpoint: Decoder<SliceEndpoint> = refine(
  object<WrittenEndpoint>({
    addresses: list(ip, { min: 1, max: 100 }),
    conditions: optional(
      object<Conditions>({ ready: optional(boolean), serving: optional(boolean), terminating: optional(boolean) }),
    ),
    zone: optional(string()),
    // What Kubernetes writes besides; nobody here asks.
    hostname: optional(anything),
    nodeName: optional(anything),
    targetRef: optional(anything),
    hints: optional(anything),
    deprecatedTopology: optional(anything),
  }),
  ({ addresses, conditions, zone }) => ({
    address: addresses[0] ?? '',
    ...(zone === undefined || zone === '' ? {} : { zone }),
    state: stateOf(conditions),
  }),
)

/** What is not said is good: `ready` true, `serving` as `ready`, `terminating` false. Source: EndpointSlice, EndpointConditions. */
function stateOf({ ready = true, serving = ready, terminating = false }: Conditions = {}): SliceEndpoint['state'] {
  if (terminating) return serving ? 'draining' : 'not-ready'
  return ready ? 'ready' : 'not-ready'
}

interface WrittenPort {
  readonly name: string
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  readonly appProtocol?: unknown
}
const port: Decoder<SlicePort> = refine(
  object<WrittenPort>({
    name: withDefault(string(), ''),
    port: portNumber,
    protocol: withDefault(oneOf('TCP', 'UDP'), 'TCP'),
    // The Service says it.
    appProtocol: optional(anything),
  }),
  (written) => ({ name: written.name, port: written.port }),
)

interface Written {
  readonly addressType: 'IPv4' | 'IPv6'
  readonly endpoints: readonly SliceEndpoint[]
  readonly ports: readonly SlicePort[]
}
export const endpointSliceSpec: Decoder<EndpointSliceSpec> = refine(
  object<Written>({
    addressType: (value, path, issues) => {
      if (value !== 'FQDN') return oneOf('IPv4', 'IPv6')(value, path, issues)
      issues.push({ path, message: 'FQDN is not supported: write the IP addresses, or an ExternalService' })
      return invalid
    },
    endpoints: withDefault(list(endpoint, { max: 1000 }), []),
    ports: withDefault(list(port, { max: 100 }), []),
  }),
  ({ addressType, endpoints, ports }, path, issues) => {
    const bytes = addressType === 'IPv4' ? 4 : 16
    const wrong = endpoints.findIndex(({ address }) => parseIp(address)?.length !== bytes)
    if (wrong < 0) return { endpoints, ports }
    issues.push({
      path: `${path === '' ? '' : `${path}.`}endpoints[${wrong}].addresses[0]`,
      message: `expected an ${addressType} address, got ${JSON.stringify(endpoints[wrong]?.address)}`,
    })
    return invalid
  },
)
