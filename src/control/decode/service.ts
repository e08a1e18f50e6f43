import type { AppProtocol } from '../../base/app-protocol.ts'
import {
  describe,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  unsupported,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import { anything, boolean, integer, string } from '../../base/decode.ts'
import { label, labels, portNumber } from './names.ts'
import { insideOwnTls, prefixOf, protocolOfAppProtocol, protocolOfName } from './port-protocol.ts'

/** A core/v1 Service: which workloads answer under a name. */
export interface ServiceSpec {
  /** Empty: no workload; the Service has the endpoints that workloads registered for it by name. */
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly ServicePortSpec[]
  /** It has no address of its own: its name stands for its instances, and each of them has a name. Source: `clusterIP: None`. */
  readonly headless?: {
    /** Names of instances that are not ready have addresses too. */
    readonly publishNotReady: boolean
  }
}

export interface ServicePortSpec {
  readonly name: string
  readonly port: number
  /** Of the workload: its port number or the name of it. */
  readonly targetPort: number | string
  readonly protocol: AppProtocol
  /** The program speaks TLS itself, and this in it; absent: it does not say so. Callers that a BackendTLSPolicy tells how open it. */
  readonly insideTls?: AppProtocol
}

interface WrittenPort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: number | string
  readonly protocol: 'TCP' | 'UDP'
  readonly appProtocol?: string
  readonly nodePort?: number
}
interface WrittenService {
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly WrittenPort[]
  readonly type: 'ClusterIP'
  readonly clusterIP?: string
  readonly clusterIPs?: unknown
  readonly sessionAffinity: 'None'
  readonly ipFamilies?: unknown
  readonly ipFamilyPolicy?: unknown
  readonly internalTrafficPolicy: 'Cluster'
  readonly publishNotReadyAddresses: boolean
}

const targetPort: Decoder<number | string> = (value, path, issues) =>
  typeof value === 'string' ? label(value, path, issues) : portNumber(value, path, issues)

const writtenPort = object<WrittenPort>({
  name: optional(label),
  port: portNumber,
  targetPort: optional(targetPort),
  protocol: withDefault(oneOf('TCP', 'UDP'), 'TCP'),
  appProtocol: optional(string()),
  nodePort: optional(integer({ min: 0, max: 65_535 })),
})

/**
 * A declared protocol, by appProtocol or by the port's name ("grpc-orders"); undeclared is HTTP until detection exists. TLS of the
 * program's own goes through as bytes.
 */
function protocolOf(
  port: WrittenPort,
  path: string,
  issues: Issue[],
): Pick<ServicePortSpec, 'protocol' | 'insideTls'> | typeof invalid {
  const { appProtocol, name } = port
  if (port.protocol === 'UDP') return { protocol: 'udp' }
  const insideTls = insideOwnTls(appProtocol ?? prefixOf(name))
  if (insideTls !== undefined) return { protocol: 'tcp', insideTls }
  if (appProtocol === undefined) return { protocol: protocolOfName(name) ?? 'http' }
  const protocol = protocolOfAppProtocol(appProtocol)
  if (protocol !== undefined) return { protocol }
  const expected = 'http, http2, grpc, https, tls or tcp'
  return mismatch(issues, `${path}.appProtocol`, expected, appProtocol, 'tcp passes anything else through')
}

const ports = refine(
  list(writtenPort, { min: 1, max: 100 }),
  (written, path, issues): readonly ServicePortSpec[] | typeof invalid => {
    const before = issues.length
    const result = written.map((port, index): ServicePortSpec => {
      const at = `${path}[${index}]`
      if (written.length > 1 && port.name === undefined)
        issues.push({ path: `${at}.name`, message: 'a Service with several ports must name each of them' })
      if (written.findIndex((other) => other.port === port.port) !== index)
        issues.push({ path: `${at}.port`, message: `port ${port.port} is there twice` })
      if (port.name !== undefined && written.findIndex((other) => other.name === port.name) !== index)
        issues.push({ path: `${at}.name`, message: `the name ${describe(port.name)} is there twice` })
      const protocol = protocolOf(port, at, issues)
      return {
        name: port.name ?? `port-${port.port}`,
        port: port.port,
        targetPort: port.targetPort ?? port.port,
        ...(protocol === invalid ? { protocol: 'http' } : protocol),
      }
    })
    return issues.length > before ? invalid : result
  },
)

const written = object<Omit<WrittenService, 'ports'> & { readonly ports: readonly ServicePortSpec[] }>(
  {
    selector: withDefault(labels, {}),
    ports,
    type: withDefault(oneOf('ClusterIP'), 'ClusterIP'),
    clusterIP: optional(string()),
    clusterIPs: optional(anything),
    sessionAffinity: withDefault(oneOf('None'), 'None'),
    ipFamilies: optional(anything),
    ipFamilyPolicy: optional(anything),
    internalTrafficPolicy: withDefault(oneOf('Cluster'), 'Cluster'),
    publishNotReadyAddresses: withDefault(boolean, false),
  },
  {
    externalName: unsupported('not supported yet: a Service here is made of workloads of the mesh'),
    externalIPs: unsupported('not supported: a Service here is made of workloads of the mesh'),
    loadBalancerIP: unsupported('not supported: there is no load balancer here'),
    trafficDistribution: unsupported('locality-aware routing is not supported yet'),
    sessionAffinityConfig: unsupported('session affinity is not supported yet'),
  },
)

export const serviceSpec: Decoder<ServiceSpec> = refine(
  written,
  ({ selector, ports: decoded, clusterIP, publishNotReadyAddresses: publishNotReady }) => ({
    selector,
    ports: decoded,
    ...(clusterIP === 'None' && { headless: { publishNotReady } }),
  }),
)
