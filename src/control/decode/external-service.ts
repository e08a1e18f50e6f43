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
  unsupported,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import { connectedProtocols, isHttp, type AppProtocol } from '../../base/app-protocol.ts'
import { parseIp } from '../../base/ip-prefix.ts'
import type { Locality } from '../../base/locality.ts'
import { externalTlsSpec, type ExternalTlsSpec } from './external-tls.ts'
import { locality } from './locality.ts'
import { label, portNumber, subdomain } from './names.ts'

/** weft.dev ExternalService: hosts outside of the mesh that its programs call. */
export interface ExternalServiceSpec {
  /** Lower case: host names, IP addresses, or "*.suffix" for any labels before it. */
  readonly hosts: readonly string[]
  readonly ports: readonly ExternalPortSpec[]
  /** `None`: each connection goes on to where it was going. `DNS`: names are asked for again and again. */
  readonly resolution: 'Static' | 'DNS' | 'None'
  /** Never empty for Static and DNS; with None there are none. */
  readonly endpoints: readonly ExternalEndpointSpec[]
  /** The mesh calls the hosts through this Gateway only; absent: each sidecar calls them itself. */
  readonly egressGateway?: EgressGatewaySpec
}

export interface EgressGatewaySpec {
  readonly name: string
  /** Absent: that of the ExternalService. */
  readonly namespace?: string
}

export interface ExternalPortSpec {
  readonly name: string
  /** What clients name. */
  readonly port: number
  /** Of the endpoints, where they say no other. */
  readonly targetPort: number
  /** TLS is the program's own and goes through as bytes. */
  readonly protocol: AppProtocol
  /** The mesh speaks TLS to the endpoints; the program does not. */
  readonly tls?: ExternalTlsSpec & { readonly sni: string }
}

export interface ExternalEndpointSpec {
  /** IP address; for DNS a host name too. */
  readonly address: string
  /** By the name of a port: where this endpoint differs. */
  readonly ports: Readonly<Record<string, number>>
  /** Absent: nobody says. */
  readonly locality?: Locality
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

interface WrittenPort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: number
  readonly protocol: AppProtocol | 'https' | 'tls'
  readonly tls?: ExternalTlsSpec
}
/** Without the server name that follows from the hosts. */
type ReadPort = Omit<ExternalPortSpec, 'tls'> & { readonly tls?: ExternalTlsSpec }
const port: Decoder<ReadPort> = refine(
  object<WrittenPort>({
    name: optional(label),
    port: portNumber,
    targetPort: optional(portNumber),
    protocol: oneOf(...connectedProtocols, 'https', 'tls'),
    tls: optional(externalTlsSpec),
  }),
  ({ name, port: number, targetPort = number, protocol, tls }, path, issues) => {
    const own = protocol === 'https' || protocol === 'tls'
    if (own && tls !== undefined) {
      const plain = protocol === 'https' ? 'http' : 'tcp'
      const message = `with protocol ${protocol} TLS is the program's own; for TLS by the mesh say protocol ${plain}`
      issues.push({ path: `${path}.tls`, message })
      return invalid
    }
    const read = {
      name: name ?? `port-${number}`,
      port: number,
      targetPort,
      protocol: own ? ('tcp' as const) : protocol,
    }
    return tls === undefined ? read : { ...read, tls }
  },
)

const endpoint: Decoder<ExternalEndpointSpec> = object<ExternalEndpointSpec>({
  address: host,
  ports: withDefault(record(portNumber), {}),
  locality: optional(locality),
  weight: withDefault(integer({ min: 1, max: 1000 }), 1),
})

const egressGateway: Decoder<EgressGatewaySpec> = object<EgressGatewaySpec>(
  { name: subdomain, namespace: optional(label) },
  {
    kind: unsupported('it is always a Gateway; remove this'),
    group: unsupported('it is always a Gateway; remove this'),
    port: unsupported("the port is that of the Gateway's listener of protocol weft.dev/mesh; remove this"),
  },
)

interface WrittenSpec extends Omit<ExternalServiceSpec, 'ports'> {
  readonly ports: readonly ReadPort[]
}

export const externalServiceSpec: Decoder<ExternalServiceSpec> = refine(
  object<WrittenSpec>(
    {
      hosts: list(host, { min: 1, max: 100 }),
      ports: list(port, { min: 1, max: 100 }),
      resolution: oneOf('Static', 'DNS', 'None'),
      endpoints: withDefault(list(endpoint, { max: 1000 }), []),
      egressGateway: optional(egressGateway),
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
      if (resolution === 'None' && spec.egressGateway !== undefined && !isHttp(one.protocol))
        say(
          `${at}ports[${index}].protocol`,
          'with resolution None a gateway learns from HTTP alone where a call was going; say Static or DNS, or call this port without egressGateway (another ExternalService)',
        )
      if (resolution === 'None' && one.targetPort !== one.port)
        say(`${at}ports[${index}].targetPort`, 'with resolution None connections go on to the port that they were for')
      if (resolution === 'None' && one.tls !== undefined)
        say(
          `${at}ports[${index}].tls`,
          'with resolution None nobody knows whose certificate to expect; say Static or DNS',
        )
      else if (one.tls !== undefined && serverName(one.tls, hosts) === undefined)
        say(
          `${at}ports[${index}].tls.sni`,
          "is needed, since no host is a name: the name in the endpoints' certificate",
        )
    })
    if (resolution === 'Static' && endpoints.length === 0)
      say(`${at}endpoints`, 'resolution Static needs endpoints with their IP addresses')
    if (resolution === 'None' && endpoints.length > 0)
      say(`${at}endpoints`, 'resolution None has no endpoints: connections go on to where they were going; say Static')
    const [only] = hosts
    if (resolution === 'DNS' && endpoints.length === 0 && (hosts.length > 1 || only === undefined || isWildcard(only)))
      say(
        `${at}endpoints`,
        'resolution DNS asks for the addresses of the host if there is one, without "*."; else of endpoints',
      )
    const targets = endpoints.map((one) =>
      ports.map((port) => `${one.address} ${one.ports[port.name] ?? port.targetPort}`),
    )
    endpoints.forEach((one, index) => {
      if (targets.findIndex((other) => other.some((target, of) => target === targets[index]?.[of])) !== index)
        say(`${at}endpoints[${index}].address`, `${one.address} is there twice, with the same port`)
      if (isWildcard(one.address) || (resolution === 'Static' && parseIp(one.address) === undefined))
        say(
          `${at}endpoints[${index}].address`,
          `expected an IP address${resolution === 'DNS' ? ' or a host name' : ' (host names need resolution DNS)'}, got ${describe(one.address)}`,
        )
      for (const name of Object.keys(one.ports))
        if (!ports.some((known) => known.name === name))
          say(`${at}endpoints[${index}].ports.${name}`, `no port is called ${describe(name)}`)
    })
    if (issues.length > before) return invalid
    const here = resolution === 'DNS' && only !== undefined && endpoints.length === 0
    return {
      ...spec,
      endpoints: here ? [{ address: only, ports: {}, weight: 1 }] : endpoints,
      ports: ports.map(({ tls, ...one }) =>
        tls === undefined ? one : { ...one, tls: { ...tls, sni: serverName(tls, hosts) ?? '' } },
      ),
    }
  },
)

const isWildcard = (one: string): boolean => one.startsWith('*.')

/** What the endpoints' certificate is for: the first host that is a name, unless it is said. */
const serverName = ({ sni }: ExternalTlsSpec, hosts: readonly string[]): string | undefined =>
  sni ?? hosts.find((one) => !isWildcard(one) && parseIp(one) === undefined)
