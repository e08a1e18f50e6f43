import { isIP } from 'node:net'
import { appProtocols, isAppProtocol, type AppProtocol } from '../../base/app-protocol.ts'
import type { Address } from '../../base/address.ts'
import { localityForm, parseLocality } from '../../base/locality.ts'
import type { GatewayInstance, JoinRequest, Port } from '../../xds/gen/weft/agent/v1/agent_pb.ts'

/** What an agent wants to be, checked. */
export interface JoinWish {
  readonly namespace: string
  readonly service: string
  readonly serviceAccount: string
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
  readonly ports: readonly WishedPort[]
  readonly outbound: Address | undefined
  readonly capture: 'namespace' | undefined
  /** Undefined: Weft's own. */
  readonly proxy: 'envoy' | undefined
  /** "region/zone/sub-zone"; undefined: nobody says. */
  readonly locality: string | undefined
  readonly adminAddress: string
  readonly version: string
  /** Processes of the proxy, at least 1. */
  readonly workers: number
  /** Absent: it is a program's. */
  readonly gateway?: GatewayWish
}

/** An instance of the Gateway that `JoinWish.service` names. */
export interface GatewayWish {
  readonly bindHost: string
  readonly address: string
  readonly portMap: readonly { readonly port: number; readonly bind: number }[]
}

export interface WishedPort {
  readonly name: string
  readonly servicePort: number
  readonly targetPort: number
  /** Undefined: nobody said; what the port's name says, else HTTP. */
  readonly protocol: AppProtocol | undefined
  readonly inbound: Address
}

/** The namespace of the mesh's own parts: nobody joins as one of them. */
export const reservedNamespace = 'weft-system'

const maxPorts = 64
const maxLabels = 64
const mostWorkers = 1024
/** RFC 1035 label, as Kubernetes wants service names. */
const dnsLabel = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const anyDnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const accountForm = anyDnsLabel
/** RFC 1123 subdomain. */
const resourceName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const instanceForm = /^[a-z0-9-]{8,64}$/
const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

/** Every problem at once, each a sentence for the person who typed `weft run`. */
export function readJoinRequest(request: JoinRequest): JoinWish | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const { service, instance } = request
  const namespace = request.namespace || 'default'
  const serviceAccount = request.serviceAccount || service
  const isGateway = request.gateway !== undefined
  const expect = (ok: boolean, problem: string): void => void (ok || problems.push(problem))

  expect(
    isGateway ? resourceName.test(service) : dnsLabel.test(service),
    isGateway
      ? `${quote(service)} is no name of a Gateway`
      : `service ${quote(service)} is no name: lower-case letters, digits and "-", a letter first, at most 63`,
  )
  expect(
    anyDnsLabel.test(namespace),
    `namespace ${quote(namespace)} is no name: lower-case letters, digits and "-", at most 63`,
  )
  expect(namespace !== reservedNamespace, `namespace ${reservedNamespace} is the mesh's own`)
  expect(
    isGateway ? serviceAccount === service : accountForm.test(serviceAccount),
    `service account ${quote(serviceAccount)} is no name: lower-case letters, digits and "-", at most 63`,
  )
  expect(instanceForm.test(instance), `instance ${quote(instance)} is not 8 to 64 lower-case letters, digits and "-"`)
  if (!isGateway) checkLabels(request.labels, service, problems)
  const gateway = request.gateway && readGateway(request.gateway, problems)
  const ports = readPorts(request.ports, problems)
  const outbound = request.outboundPort === 0 ? undefined : { host: request.outboundHost, port: request.outboundPort }
  const capture = request.capture === 'namespace' ? 'namespace' : undefined
  expect(
    ['', 'explicit', 'namespace'].includes(request.capture),
    `capture ${quote(request.capture)} is not known (known are "explicit" and "namespace")`,
  )
  const proxy = request.proxy === 'envoy' ? 'envoy' : undefined
  expect(
    ['', 'weft', 'envoy'].includes(request.proxy),
    `proxy ${quote(request.proxy)} is not known (known are "weft" and "envoy")`,
  )
  expect(proxy === undefined || capture === undefined, 'Envoy takes the calls of a program that names it as its proxy')
  expect(
    request.locality === '' || parseLocality(request.locality) !== undefined,
    `locality ${quote(request.locality)} is not ${localityForm}`,
  )
  expect(request.workers <= mostWorkers, `${request.workers} workers, at most ${mostWorkers} are taken`)
  // In a namespace of the program's own nobody else can reach it, whatever the address.
  if (outbound !== undefined && capture === undefined) checkAddress('the outbound address', outbound, problems)
  if (problems.length > 0) return { problems }
  return {
    namespace,
    service,
    serviceAccount,
    instance,
    labels: isGateway ? gatewayLabels(service) : { ...request.labels, app: service },
    ports,
    outbound,
    capture,
    proxy,
    locality: request.locality || undefined,
    adminAddress: clip(request.adminAddress),
    version: clip(request.version),
    workers: Math.max(1, request.workers),
    ...(gateway && { gateway }),
  }
}

/** By which policies select the instances of a Gateway. Source: GEP-1762; a label has room for 63 characters. */
const gatewayLabels = (name: string): Readonly<Record<string, string>> =>
  name.length > 63 ? {} : { 'gateway.networking.k8s.io/gateway-name': name }

function readGateway({ bindHost, address, portMap }: GatewayInstance, problems: string[]): GatewayWish {
  if (isIP(bindHost) === 0) problems.push(`the address to bind, ${quote(bindHost)}, is no IP address`)
  checkAddress("the gateway's address", { host: address, port: 1 }, problems)
  const pairs = Object.entries(portMap).map(([port, bind]) => ({ port: Number(port), bind }))
  if (pairs.length > maxPorts) problems.push(`${pairs.length} mapped ports, at most ${maxPorts} are taken`)
  for (const { port, bind } of pairs)
    if (!isPort(port) || !isPort(bind)) problems.push(`port map ${port}=${bind}: a port is from 1 to 65535`)
  return { bindHost, address, portMap: pairs.toSorted((a, b) => a.port - b.port) }
}

function checkLabels(labels: Readonly<Record<string, string>>, service: string, problems: string[]): void {
  const entries = Object.entries(labels)
  if (entries.length > maxLabels) problems.push(`${entries.length} labels, at most ${maxLabels} are taken`)
  for (const [key, value] of entries.slice(0, maxLabels)) {
    if (!labelKey.test(key)) problems.push(`label ${quote(key)}: the key has a wrong form`)
    else if (!labelValue.test(value)) problems.push(`label ${quote(key)}: the value ${quote(value)} has a wrong form`)
    else if (key === 'app' && value !== service) {
      problems.push(`label app is the service's name (${quote(service)}), it cannot be ${quote(value)}`)
    }
  }
}

function readPorts(ports: readonly Port[], problems: string[]): readonly WishedPort[] {
  if (ports.length > maxPorts) problems.push(`${ports.length} ports, at most ${maxPorts} are taken`)
  const servicePorts = new Set<number>()
  const names = new Set<string>()
  return ports.slice(0, maxPorts).map((port) => {
    const { servicePort, targetPort, inboundHost, inboundPort } = port
    const what = `port ${servicePort}`
    const protocol = isAppProtocol(port.protocol) ? port.protocol : undefined
    const name = port.name || `${protocol ?? 'port'}-${servicePort}`
    const inbound = { host: inboundHost, port: inboundPort }
    if (!isPort(servicePort)) problems.push(`${what} is not from 1 to 65535`)
    if (!isPort(targetPort)) problems.push(`${what}: the program's port ${targetPort} is not from 1 to 65535`)
    if (!anyDnsLabel.test(name)) problems.push(`${what}: ${quote(name)} is no name for a port`)
    if (port.protocol !== '' && protocol === undefined) {
      problems.push(`${what}: protocol ${quote(port.protocol)} is not known (known are ${appProtocols.join(', ')})`)
    }
    if (servicePorts.has(servicePort)) problems.push(`${what} is declared twice`)
    else if (names.has(name)) problems.push(`two ports are called ${quote(name)}`)
    servicePorts.add(servicePort)
    names.add(name)
    checkAddress(`${what}: the sidecar's address`, inbound, problems)
    return { name, servicePort, targetPort, protocol, inbound }
  })
}

function checkAddress(what: string, { host, port }: Address, problems: string[]): void {
  if (isIP(host) === 0) problems.push(`${what}: ${quote(host)} is no IP address`)
  else if (host === '0.0.0.0' || host === '::') problems.push(`${what}: ${host} is no address that others can reach`)
  if (!isPort(port)) problems.push(`${what}: port ${port} is not from 1 to 65535`)
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535
const clip = (text: string): string => text.slice(0, 200)
const quote = (text: string): string => JSON.stringify(clip(text))
