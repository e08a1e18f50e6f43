import {
  describe,
  integer,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  record,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import { appProtocols, type AppProtocol } from '../../base/app-protocol.ts'
import { parseIp } from '../../base/ip-prefix.ts'
import { label, portNumber, subdomain } from './names.ts'

/** weft.dev ExternalService: hosts outside of the mesh that its programs call. */
export interface ExternalServiceSpec {
  /** Lower case: host names, IP addresses, or "*.suffix" for any labels before it. */
  readonly hosts: readonly string[]
  readonly ports: readonly ExternalPortSpec[]
  /** `None`: each connection goes on to where it was going. */
  readonly resolution: 'Static' | 'None'
  /** For Static; else empty. */
  readonly endpoints: readonly ExternalEndpointSpec[]
}

export interface ExternalPortSpec {
  readonly name: string
  /** What clients name. */
  readonly port: number
  /** Of the endpoints, where they say no other. */
  readonly targetPort: number
  /** TLS is the program's own and goes through as bytes. */
  readonly protocol: AppProtocol
}

export interface ExternalEndpointSpec {
  /** IP address. */
  readonly address: string
  /** By the name of a port: where this endpoint differs. */
  readonly ports: Readonly<Record<string, number>>
  /** Relative share, 1 to 1000. */
  readonly weight: number
}

const host: Decoder<string> = (value, path, issues) => {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  if (parseIp(text) !== undefined) return text
  const found: Issue[] = []
  const name = subdomain(text.startsWith('*.') ? text.slice(2) : text, path, found)
  if (name !== invalid) return text
  return mismatch(issues, path, 'a host name, "*." and the end of host names, or an IP address', value)
}

const ip: Decoder<string> = refine(string(), (text, path, issues) =>
  parseIp(text) === undefined ? mismatch(issues, path, 'an IP address', text) : text,
)

interface WrittenPort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: number
  readonly protocol: AppProtocol | 'https' | 'tls'
}
const port: Decoder<ExternalPortSpec> = refine(
  object<WrittenPort>({
    name: optional(label),
    port: portNumber,
    targetPort: optional(portNumber),
    protocol: oneOf(...appProtocols, 'https', 'tls'),
  }),
  (written) => ({
    name: written.name ?? `port-${written.port}`,
    port: written.port,
    targetPort: written.targetPort ?? written.port,
    protocol: written.protocol === 'https' || written.protocol === 'tls' ? 'tcp' : written.protocol,
  }),
)

const endpoint: Decoder<ExternalEndpointSpec> = object<ExternalEndpointSpec>({
  address: ip,
  ports: withDefault(record(portNumber), {}),
  weight: withDefault(integer({ min: 1, max: 1000 }), 1),
})

export const externalServiceSpec: Decoder<ExternalServiceSpec> = refine(
  object<ExternalServiceSpec>(
    {
      hosts: list(host, { min: 1, max: 100 }),
      ports: list(port, { min: 1, max: 100 }),
      resolution: oneOf('Static', 'None'),
      endpoints: withDefault(list(endpoint, { max: 1000 }), []),
    },
    {
      addresses: unsupported('write the addresses in hosts'),
      location: unsupported('an ExternalService is outside of the mesh; instances of the mesh are Workloads'),
      exportTo: unsupported('an ExternalService is known in the whole mesh; remove this'),
      workloadSelector: unsupported('write a Service with a selector: it chooses Workloads without a sidecar too'),
    },
  ),
  (spec, path, issues) => {
    const before = issues.length
    const say = (field: string, message: string): void => void issues.push({ path: `${path}${field}`, message })
    const { hosts, ports, resolution, endpoints } = spec
    const at = path === '' ? '' : '.'
    hosts.forEach((one, index) => {
      if (hosts.indexOf(one) !== index) say(`${at}hosts[${index}]`, `the host ${describe(one)} is there twice`)
    })
    ports.forEach((one, index) => {
      if (ports.findIndex((other) => other.port === one.port) !== index)
        say(`${at}ports[${index}].port`, `port ${one.port} is there twice`)
      if (ports.findIndex((other) => other.name === one.name) !== index)
        say(`${at}ports[${index}].name`, `the name ${describe(one.name)} is there twice`)
      if (resolution === 'None' && one.targetPort !== one.port)
        say(`${at}ports[${index}].targetPort`, 'with resolution None connections go on to the port that they were for')
    })
    if (resolution === 'Static' && endpoints.length === 0)
      say(`${at}endpoints`, 'resolution Static needs endpoints with their IP addresses')
    if (resolution === 'None' && endpoints.length > 0)
      say(`${at}endpoints`, 'resolution None has no endpoints: connections go on to where they were going; say Static')
    endpoints.forEach((one, index) => {
      for (const name of Object.keys(one.ports))
        if (!ports.some((known) => known.name === name))
          say(`${at}endpoints[${index}].ports.${name}`, `no port is called ${describe(name)}`)
    })
    return issues.length > before ? invalid : spec
  },
)
