import { appProtocols, type AppProtocol } from '../../base/app-protocol.ts'
import {
  integer,
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
import type { Address } from '../../base/address.ts'
import type { Locality } from '../../base/locality.ts'
import { locality } from './locality.ts'
import { label, portNumber, subdomain } from './names.ts'
import { protocolOfName } from './port-protocol.ts'

/** weft.dev Workload: one running instance of a service. Registered by `weft run`, or written by hand for one without a sidecar. */
export interface WorkloadSpec {
  /** The Service that it was started for; selectors of other Services may choose it too. */
  readonly service: string
  /** Gives the identity; default: the service's name. */
  readonly serviceAccount: string
  /** IP address at which clients reach a port without a sidecar; may be absent when there is none. */
  readonly address?: string
  readonly ports: readonly WorkloadPort[]
  /** Where its sidecar takes outbound calls. */
  readonly outbound?: Address
  /** The calls are caught in the program's network namespace; absent: the program names a proxy. */
  readonly capture?: 'namespace'
  /** Which proxy stands beside it; absent: Weft's own. */
  readonly proxy?: 'envoy'
  /** It serves a Gateway of its namespace; absent: it is a program. */
  readonly gateway?: GatewayInstanceSpec
  /** Where it runs; absent: nobody says. */
  readonly locality?: Locality
  /** Processes of its sidecar, each of which takes connections; absent: 1. */
  readonly workers?: number
  /** Relative share of its Service's traffic, 1 to 1000. */
  readonly weight: number
}

/** One `weft gateway`. */
export interface GatewayInstanceSpec {
  readonly name: string
  /** IP address that the listeners of a Gateway that names none are bound to. */
  readonly bindHost: string
  /** IP address by which others reach them. */
  readonly address: string
  /** By a listener's port: the one that is bound instead. */
  readonly portMap: ReadonlyMap<number, number>
}

export interface WorkloadPort {
  readonly name: string
  /** Port of the Service that is inferred for this workload. */
  readonly servicePort: number
  /** The program's own. */
  readonly targetPort: number
  /** As it was declared, by itself or by the port's name; `http` when nobody says. */
  readonly protocol: AppProtocol
  /** The sidecar's listener for this port, which clients use over mTLS; absent: no sidecar, clients use address:targetPort in plain text. */
  readonly inbound?: Address
}

const ip = string({ form: /^[0-9a-fA-F.:]{2,45}$/, expected: 'an IP address' })
const address: Decoder<Address> = refine(
  object<{ readonly address: string; readonly port: number }>({ address: ip, port: portNumber }),
  (written) => ({ host: written.address, port: written.port }),
)

interface WrittenPort {
  readonly name?: string
  readonly servicePort?: number
  readonly targetPort: number
  readonly protocol?: AppProtocol
  readonly inbound?: Address
}
const port: Decoder<WorkloadPort> = refine(
  object<WrittenPort>({
    name: optional(label),
    servicePort: optional(portNumber),
    targetPort: portNumber,
    protocol: optional(oneOf(...appProtocols)),
    inbound: optional(address),
  }),
  (written) => ({
    ...written,
    name: written.name ?? `port-${written.targetPort}`,
    servicePort: written.servicePort ?? written.targetPort,
    protocol: written.protocol ?? protocolOfName(written.name) ?? 'http',
  }),
)

const gateway: Decoder<GatewayInstanceSpec> = refine(
  object<
    Omit<GatewayInstanceSpec, 'portMap' | 'bindHost'> & {
      readonly bindHost?: string
      readonly portMap: readonly PortMapping[]
    }
  >({
    name: subdomain,
    bindHost: optional(ip),
    address: ip,
    portMap: withDefault(list(object<PortMapping>({ port: portNumber, bind: portNumber }), { max: 64 }), []),
  }),
  (written) => ({
    ...written,
    bindHost: written.bindHost ?? written.address,
    portMap: new Map(written.portMap.map(({ port: from, bind }) => [from, bind])),
  }),
)
interface PortMapping {
  readonly port: number
  readonly bind: number
}

interface WrittenWorkload extends Omit<WorkloadSpec, 'serviceAccount'> {
  readonly serviceAccount?: string
}

export const workloadSpec: Decoder<WorkloadSpec> = refine(
  object<WrittenWorkload>({
    // Of a gateway the Gateway's own name.
    service: subdomain,
    serviceAccount: optional(subdomain),
    address: optional(ip),
    ports: withDefault(list(port, { max: 100 }), []),
    outbound: optional(address),
    capture: optional(oneOf('namespace')),
    proxy: optional(oneOf('envoy')),
    gateway: optional(gateway),
    locality: optional(locality),
    workers: optional(integer({ min: 1, max: 1024 })),
    weight: withDefault(integer({ min: 1, max: 1000 }), 1),
  }),
  (written, path, issues) => {
    const twice = written.ports.findIndex(
      (one, index) => written.ports.findIndex((other) => other.name === one.name) !== index,
    )
    const unreachable = written.ports.findIndex((one) => one.inbound === undefined && written.address === undefined)
    if (unreachable >= 0) {
      issues.push({
        path: `${path}.address`,
        message: `port ${written.ports[unreachable]?.name} has no inbound listener, so the workload's IP address is needed`,
      })
      return invalid
    }
    if (twice >= 0) {
      issues.push({ path: `${path}.ports[${twice}].name`, message: 'this name is there twice' })
      return invalid
    }
    return { ...written, serviceAccount: written.serviceAccount ?? written.service }
  },
)

/** The port that "http" means where no port is called so: the only one that speaks HTTP. */
export function onlyHttpPort(ports: readonly WorkloadPort[]): WorkloadPort | undefined {
  const http = ports.filter((one) => one.protocol === 'http')
  return http.length === 1 ? http[0] : undefined
}
