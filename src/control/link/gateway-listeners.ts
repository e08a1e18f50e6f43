import { parseIp } from '../../base/ip-prefix.ts'
import type { Problem } from '../../base/problem.ts'
import type { ListenerSpec } from '../decode/gateway.ts'
import type { Kind, ResourceOf } from '../decode/resource-types.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { listenerCertificates } from './gateway-certificates.ts'
import { listenerClients, type LinkedClients } from './gateway-clients.ts'
import { everyHost } from './hostnames.ts'
import { conditionAt, type Linked } from './linked.ts'

type Gateway = ResourceOf<'Gateway'>
/** Who has written a listener. */
type Owner = Gateway | ResourceOf<'ListenerSet'>

/** What is spoken at listeners that can be served, and which routes they take. */
const protocols: Readonly<Record<string, Known>> = {
  HTTP: { protocol: 'http', kinds: ['HTTPRoute', 'GRPCRoute'] },
  HTTPS: { protocol: 'https', kinds: ['HTTPRoute', 'GRPCRoute'] },
  TLS: { protocol: 'tls', kinds: ['TLSRoute'] },
  TCP: { protocol: 'tcp', kinds: ['TCPRoute'] },
  UDP: { protocol: 'udp', kinds: ['UDPRoute'] },
  'weft.dev/mesh': { protocol: 'mesh', kinds: [] },
}

interface Known {
  readonly protocol: ListenerProtocol
  readonly kinds: readonly Kind[]
}
type ListenerProtocol = 'http' | 'https' | 'tls' | 'tcp' | 'udp' | 'mesh'

/** Those of one such may share a port. The TLS server name tells listeners apart whether or not TLS ends there. */
const sharing = { http: 'http', https: 'tls', tls: 'tls', tcp: 'tcp', udp: 'udp', mesh: 'mesh' } as const

/** A listener as it was written, and what could be made of it. */
export interface Listener {
  /** Unique at the Gateway: "http", of a ListenerSet "shop/extra/http". */
  readonly name: string
  readonly owner: Owner
  readonly spec: ListenerSpec
  /** "spec.listeners[0]". */
  readonly field: string
  readonly hostname: string
  /** Undefined: nobody here speaks it. */
  readonly protocol: ListenerProtocol | undefined
  /** Routes that may attach. */
  readonly kinds: readonly string[]
  /** `<namespace>/<name>` of Secrets that hold a certificate. */
  readonly certificates: readonly string[]
  readonly clients: LinkedClients
  /** Requests can come in. */
  readonly serves: boolean
}

/** The listeners of one Gateway, its own first, then those of the ListenerSets there: who is first keeps a port or a host. */
export function linkListeners(
  gateway: Gateway,
  sets: readonly ResourceOf<'ListenerSet'>[],
  snapshot: InventorySnapshot,
): Linked<readonly Listener[]> {
  const problems: Problem[] = []
  const value: Listener[] = []
  for (const owner of [gateway, ...sets]) {
    owner.spec.listeners.forEach((spec, index) => {
      const linked = linkListener({ gateway, owner }, spec, `spec.listeners[${index}]`, value, snapshot)
      value.push(linked.value)
      problems.push(...linked.problems)
    })
  }
  return { value, problems }
}

function linkListener(
  { gateway, owner }: { readonly gateway: Gateway; readonly owner: Owner },
  spec: ListenerSpec,
  field: string,
  before: readonly Listener[],
  snapshot: InventorySnapshot,
): Linked<Listener> {
  const problems: Problem[] = []
  const known = Object.hasOwn(protocols, spec.protocol) ? protocols[spec.protocol] : undefined
  const kinds = allowedKinds(owner, spec, field, known?.kinds ?? [], problems)
  const certificates = listenerCertificates(owner, spec, field, snapshot)
  const clients = listenerClients(gateway, spec, { owner, field }, snapshot)
  problems.push(...certificates.problems, ...clients.problems)
  if (known === undefined) {
    const message = `the protocol ${JSON.stringify(spec.protocol)} is not supported; use ${Object.keys(protocols).join(' or ')}`
    problems.push(conditionAt(owner, `${field}.protocol`, notAccepted('UnsupportedProtocol'), message))
  }
  const forTheMesh = known?.protocol === 'mesh'
  const unfit = forTheMesh ? unfitForMesh(owner, spec, field) : undefined
  if (unfit !== undefined) problems.push(unfit)
  const place = { port: spec.port, udp: known?.protocol === 'udp' }
  const rival = known && before.find((one) => one.serves && isAt(one, place) && clashes(one, spec, known))
  if (known !== undefined && rival !== undefined) problems.push(conflict(owner, spec, field, rival, known))
  return {
    value: {
      name: listenerName(owner, spec),
      owner,
      spec,
      field,
      hostname: spec.hostname ?? everyHost,
      protocol: known?.protocol,
      kinds,
      certificates: certificates.value,
      clients: clients.value,
      serves:
        known !== undefined &&
        rival === undefined &&
        unfit === undefined &&
        clients.value !== 'nobody' &&
        (spec.tls?.mode !== 'Terminate' || certificates.value.length > 0),
    },
    problems,
  }
}

/** Whether a listener has this socket: a port of TCP and one of UDP have nothing to do with one another. */
export const isAt = (
  { spec, protocol }: Listener,
  { port, udp }: { readonly port: number; readonly udp: boolean },
): boolean => spec.port === port && (protocol === 'udp') === udp

/** What a listener is called at its Gateway. */
export const listenerName = ({ kind, metadata }: Owner, { name }: ListenerSpec): string =>
  kind === 'Gateway' ? name : `${metadata.namespace}/${metadata.name}/${name}`

function clashes({ protocol, hostname }: Listener, spec: ListenerSpec, known: Known): boolean {
  if (protocol === undefined || sharing[protocol] !== sharing[known.protocol]) return true
  return hostname === (spec.hostname ?? everyHost)
}

/** Members of the mesh know each other without help, and say themselves whom they call. */
function unfitForMesh(owner: Owner, { tls, hostname }: ListenerSpec, field: string): Problem | undefined {
  const part = tls !== undefined ? 'tls' : hostname !== undefined ? 'hostname' : undefined
  if (part === undefined) return undefined
  const message = `a listener of protocol weft.dev/mesh proves itself by the mesh's own certificate and is for every ExternalService that names the Gateway; remove ${part}`
  return conditionAt(owner, `${field}.${part}`, notAccepted('UnsupportedValue'), message)
}

function conflict(owner: Owner, { port }: ListenerSpec, field: string, rival: Listener, known: Known): Problem {
  const theirs = `${rival.spec.protocol} already (listener ${rival.name})`
  if (rival.protocol === undefined || sharing[rival.protocol] !== sharing[known.protocol]) {
    const message = `port ${port} is for ${theirs}; take another port`
    return conditionAt(owner, `${field}.protocol`, notAccepted('ProtocolConflict'), message)
  }
  const message = `${rival.hostname === everyHost ? 'every host' : rival.hostname} on port ${port} is for ${theirs}; take another hostname or port`
  return conditionAt(owner, `${field}.hostname`, notAccepted('HostnameConflict'), message)
}

const notAccepted = (reason: string): { type: string; reason: string } => ({ type: 'Accepted', reason })

/** Those of the protocol that the listener does not rule out; kinds that cannot come are a problem. */
function allowedKinds(
  owner: Owner,
  { allowedRoutes, protocol }: ListenerSpec,
  field: string,
  possible: readonly Kind[],
  problems: Problem[],
): readonly string[] {
  if (allowedRoutes.kinds.length === 0) return possible
  return allowedRoutes.kinds.flatMap(({ group, kind }, index) => {
    if (group === gatewayGroup && (possible as readonly string[]).includes(kind)) return [kind]
    const offered = possible.length === 0 ? 'no route' : possible.join(' or ')
    const message = `${JSON.stringify(kind)} of group ${JSON.stringify(group)} cannot attach here; ${protocol} takes ${offered}`
    const at = `${field}.allowedRoutes.kinds[${index}]`
    problems.push(conditionAt(owner, at, { type: 'ResolvedRefs', reason: 'InvalidRouteKinds' }, message))
    return []
  })
}

/** The IP addresses that a Gateway asks for; another type of address is a problem. */
export function linkAddresses(gateway: Gateway): Linked<readonly string[]> {
  const problems: Problem[] = []
  const value = gateway.spec.addresses.flatMap(({ type, value: address }, index) => {
    if (type === 'IPAddress' && address === undefined) return []
    if (type === 'IPAddress' && address !== undefined && parseIp(address) !== undefined) return [address]
    const message =
      type === 'IPAddress'
        ? `${JSON.stringify(address)} is no IP address`
        : `addresses of type ${JSON.stringify(type)} are not supported; give an IPAddress, or none`
    const reason = type === 'IPAddress' ? 'UnsupportedValue' : 'UnsupportedAddress'
    problems.push(conditionAt(gateway, `spec.addresses[${index}]`, notAccepted(reason), message))
    return []
  })
  return { value, problems }
}
