import { nearest } from '../../base/decode.ts'
import { isHttp, isUdp } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import type { BackendRef, HttpRouteRule } from '../decode/http-route.ts'
import type { AnyRouteResource as AnyRoute, RouteResource as Route } from '../decode/resource-types.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import { destinationGroups, destinationKind, type BackendObjectRef } from '../decode/service-ref.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Backend, Mirror } from '../model/model.ts'
import { linkHeaderEdits, linkRedirect, linkRewrite } from './link-filters.ts'
import { findDestination, type DestinationRef } from './find-destination.ts'
import { isGranted } from './reference-grants.ts'
import { conditionAt, originOf } from './linked.ts'

/** What callers are told in the place of a backend that cannot be used. Source: Gateway API, HTTPBackendRef and GRPCBackendRef. */
export const saidInstead = ({ kind }: Route): string => (kind === 'GRPCRoute' ? 'UNAVAILABLE' : '500')

/** A backend that cannot be used keeps its weight and refuses its share. */
export function linkBackend(
  route: Route,
  ref: BackendRef,
  field: string,
  snapshot: InventorySnapshot,
  problems: Problem[],
): Backend {
  const share = ref.weight > 0 ? `; its share of the requests is answered with ${saidInstead(route)}` : ''
  const { filters = [] } = ref
  const [rewrite, redirect] = [linkRewrite({ filters }), linkRedirect({ filters })]
  return {
    weight: ref.weight,
    service: resolve(route, ref, { field, share }, snapshot, problems),
    port: ref.port,
    ...linkHeaderEdits(filters),
    ...(rewrite && { rewrite }),
    ...(redirect && { redirect }),
    origin: originOf(route, field),
  }
}

/** The mirrors of a rule; those that cannot be used are left out. Source: Gateway API, HTTPRequestMirrorFilter. */
export function linkMirrors(
  route: Route,
  { filters = [] }: Pick<HttpRouteRule, 'filters'>,
  field: string,
  snapshot: InventorySnapshot,
  problems: Problem[],
): readonly Mirror[] {
  return filters.flatMap((filter, index): Mirror[] => {
    if (filter.type !== 'RequestMirror') return []
    const { backend, share } = filter.mirror
    const at = `${field}.filters[${index}].requestMirror.backendRef`
    const place = { field: at, share: '; nothing is mirrored there' }
    const service = resolve(route, backend, place, snapshot, problems)
    if (service === undefined || share === 0) return []
    return [{ service, port: backend.port, share, origin: originOf(route, at) }]
  })
}

/** `<namespace>/<name>` of the service that has this port; undefined, with a problem, when it cannot be used. `share`: what that means. */
export function resolve(
  route: AnyRoute,
  ref: BackendObjectRef,
  { field, share }: { readonly field: string; readonly share: string },
  snapshot: InventorySnapshot,
  problems: Problem[],
): string | undefined {
  const namespace = ref.namespace ?? route.metadata.namespace
  const refuse = (part: string, message: string, remedy = '', reason = 'BackendNotFound'): undefined => {
    problems.push(
      conditionAt(route, `${field}.${part}`, { type: 'ResolvedRefs', reason }, `${message}${share}${remedy}`),
    )
  }
  const kind = destinationKind(ref)
  if (kind === undefined) {
    const got = `${JSON.stringify(ref.kind)} of group ${JSON.stringify(ref.group)}`
    const wanted = 'a backend is a Service (group "") or an ExternalService (group "weft.dev")'
    return refuse('kind', `${wanted}, got ${got}`, '', 'InvalidKind')
  }
  const to: DestinationRef = { kind, namespace, name: ref.name }
  const what = `${kind} ${namespace}/${ref.name}`
  if (!mayRefer(route, to, snapshot)) {
    return refuse(
      'namespace',
      `no ReferenceGrant in ${namespace} lets ${route.kind}s of ${route.metadata.namespace} refer to ${what}`,
      `; write one there, or move the route or the ${kind}`,
      'RefNotPermitted',
    )
  }
  const service = findDestination(snapshot, to)
  if (service === undefined)
    return refuse('name', `there is no ${what}`, didYouMean(kind, ref.name, snapshot, namespace))
  const ports = service.spec.ports.map((port) => port.port)
  const port = service.spec.ports.find((one) => one.port === ref.port)
  if (port === undefined) return refuse('port', `${what} has no port ${ref.port} (it has ${ports.join(', ')})`)
  if (isUdp(port.protocol) !== (route.kind === 'UDPRoute'))
    return refuse(
      'port',
      `port ${ref.port} of ${what} is ${port.protocol}`,
      route.kind === 'UDPRoute' ? '; if it takes datagrams, declare protocol: UDP' : '; only UDPRoutes lead there',
      'UnsupportedProtocol',
    )
  // Bytes may go to any port of connections.
  if ((route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') && !isHttp(port.protocol))
    return refuse(
      'port',
      `port ${ref.port} of ${what} is ${port.protocol}`,
      `; ${declareAs(route.kind)}`,
      'UnsupportedProtocol',
    )
  return `${namespace}/${ref.name}`
}

/** What to write so that a route of this kind can use a port. */
export const declareAs = (kind: AnyRoute['kind']): string => declarations[kind]
const declarations: Readonly<Record<AnyRoute['kind'], string>> = {
  HTTPRoute: 'if it speaks HTTP, declare appProtocol: http',
  GRPCRoute: 'if it speaks gRPC, declare appProtocol: grpc',
  TLSRoute: 'if its bytes are to be passed on as they are, declare appProtocol: tcp',
  TCPRoute: 'if its bytes are to be passed on as they are, declare appProtocol: tcp',
  UDPRoute: 'if it takes datagrams, declare protocol: UDP',
}

/** What a route is about it need not be permitted to use: its callers may call that service without it. */
function mayRefer(route: AnyRoute, to: DestinationRef, snapshot: InventorySnapshot): boolean {
  const own = route.metadata.namespace
  const isParent = route.spec.parentRefs.some(
    (ref) => ref.kind === to.kind && (ref.namespace ?? own) === to.namespace && ref.name === to.name,
  )
  const from = { group: gatewayGroup, kind: route.kind, namespace: own }
  return isParent || isGranted(from, { group: destinationGroups[to.kind], ...to }, snapshot)
}

/** What to add to "there is no such service": one of nearly that name, or of that name elsewhere. */
export function didYouMean(
  kind: DestinationRef['kind'],
  name: string,
  snapshot: InventorySnapshot,
  namespace: string,
): string {
  const services = resourcesOf(snapshot, kind)
  const near = nearest(
    name,
    services.filter((one) => one.metadata.namespace === namespace).map((one) => one.metadata.name),
  )
  if (near !== undefined) return `; did you mean "${near}"?`
  const elsewhere = services.find((one) => one.metadata.name === name)
  return elsewhere === undefined ? '' : `; there is one in namespace ${elsewhere.metadata.namespace}`
}
