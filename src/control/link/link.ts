import type { Problem } from '../../base/problem.ts'
import { defaultMeshConfig } from '../decode/mesh-config.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { InboundPort, MeshSettings, Model, Service, ServicePort, Workload } from '../model/model.ts'
import { insideTls, linkBackendTls, type BackendTlsPolicies } from './link-backend-tls.ts'
import { identityOf, linkEndpoints } from './link-endpoints.ts'
import { authorizationOf, mtlsMode, policyProblems } from './link-policies.ts'
import { linkExternalLimits } from './external-limits.ts'
import { countInstances } from './global-limits.ts'
import { leadingRules } from './inbound-rules.ts'
import { enforcedAt, inboundLimits, type InboundLimits } from './inbound-limits.ts'
import { linkExternalServices } from './link-external.ts'
import { addressesWith, linkInstances } from './link-instances.ts'
import { linkGateways } from './link-gateways.ts'
import { linkRoutes, portRules, type PortRoutes } from './link-routes.ts'
import { linkRules } from './link-rules.ts'
import { linkServiceStreams, type PortStreams } from './link-service-streams.ts'
import { linkStreams } from './link-streams.ts'
import { linkTracing } from './link-tracing.ts'
import { linkTrafficPolicies, type TrafficPolicies } from './link-traffic.ts'
import { mergeTraffic } from './merge-settings.ts'
import { overlapFinder } from './route-overlaps.ts'
import { originOf, type Linked } from './linked.ts'
import { sliceProblems } from './slice-endpoints.ts'

/**
 * Names become objects, precedence and conflicts are settled, all defaults are filled in. Pure: what does not fit is left out as the
 * standards say, and is a problem.
 */
export function link(written: InventorySnapshot, { trustDomain }: { trustDomain: string }): Linked<Model> {
  const backendTls = linkBackendTls(written)
  const snapshot = insideTls(written, backendTls.value)
  const { value: mesh, problems: meshProblems } = linkMesh(snapshot)
  const policies = linkTrafficPolicies(snapshot)
  const overlaps = overlapFinder()
  const rules = linkRules(snapshot, overlaps)
  const streams = linkStreams(snapshot)
  const limiters = linkExternalLimits(snapshot)
  const attaching = {
    snapshot,
    rules: rules.value,
    streams: streams.value,
    policies: policies.value,
    limiters: limiters.value,
    overlaps,
  }
  const calls = linkRoutes(attaching)
  const bytes = linkServiceStreams(streams.value, snapshot)
  const routes = withStreams(calls.value, bytes.value)
  const gateways = linkGateways(attaching)
  const problems: Problem[] = [
    ...meshProblems,
    ...backendTls.problems,
    ...rules.problems,
    ...streams.problems,
    ...calls.problems,
    ...bytes.problems,
    ...gateways.problems,
    ...policies.problems,
    ...policyProblems(snapshot),
    ...sliceProblems(snapshot),
  ]
  const settled = { mesh, routes, policies: policies.value, backendTls: backendTls.value }
  const instances = new Map<ResourceOf<'Service'>, readonly Service[]>()
  const services = resourcesOf(snapshot, 'Service').map((service) => {
    const context = { ...settled, snapshot, trustDomain }
    const linked = linkService(service, context)
    problems.push(...linked.problems)
    if (service.spec.headless !== undefined) instances.set(service, linkInstances(service, linked.value, context))
    return [`${linked.value.namespace}/${linked.value.name}`, linked.value] as const
  })
  for (const one of [...instances.values()].flat()) services.push([`${one.namespace}/${one.name}`, one])
  const external = linkExternalServices(snapshot, { ...settled, gateways: gateways.value.gateways, trustDomain })
  problems.push(...external.problems)
  for (const service of external.value) services.push([`${service.namespace}/${service.name}`, service])
  const leading = leadingRules(Array.from(routes.values(), ({ written }) => written))
  problems.push(...limiters.problems)
  const limitsOf = inboundLimits(snapshot, policies.value, { leading, limiters: limiters.value })
  const workloads = resourcesOf(snapshot, 'Workload')
    .filter(hasSidecar)
    .map(
      (workload) =>
        [
          `${workload.metadata.namespace}/${workload.metadata.name}`,
          linkWorkload(workload, { snapshot, trustDomain, limitsOf }),
        ] as const,
    )
  return {
    value: {
      revision: snapshot.revision,
      storeRevision: snapshot.storeRevision,
      trustDomain,
      services: new Map(services),
      ...countInstances({ ...gateways.value, workloads: new Map(workloads) }),
      virtualIps: addressesWith(instances, snapshot.virtualIps),
      mesh,
    },
    problems,
  }
}

/** A port is for calls or for bytes. */
const withStreams = (
  calls: ReadonlyMap<string, PortRoutes>,
  bytes: ReadonlyMap<string, PortStreams>,
): ReadonlyMap<string, PortRoutes> =>
  new Map<string, PortRoutes>([
    ...calls,
    ...Array.from(bytes, ([port, streams]) => [port, { ...noCalls, streams }] as const),
  ])
const noCalls: PortRoutes = { producer: [], consumers: new Map(), written: [] }

const balancing = { PeakEWMA: 'peak-ewma', LeastRequest: 'least-request', RoundRobin: 'round-robin' } as const

function linkMesh(snapshot: InventorySnapshot): Linked<MeshSettings> {
  const [written] = resourcesOf(snapshot, 'MeshConfig')
  const { outboundTraffic, outboundDatagrams, accessLog, loadBalancing } = written?.spec ?? defaultMeshConfig
  const { value: tracing, problems = [] } = (written && linkTracing(written, snapshot)) ?? {}
  const value: MeshSettings = {
    outboundTraffic: outboundTraffic === 'AllowAny' ? 'allow-any' : 'registered-only',
    ...(outboundDatagrams === undefined
      ? {}
      : { outboundDatagrams: outboundDatagrams === 'Allow' ? 'allow' : 'refuse' }),
    accessLog,
    loadBalancing: balancing[loadBalancing],
    ...(tracing && { tracing }),
    origin: written === undefined ? undefined : originOf(written, 'spec'),
  }
  return { value, problems }
}

interface Context {
  readonly snapshot: InventorySnapshot
  readonly trustDomain: string
  readonly mesh: MeshSettings
  readonly routes: ReadonlyMap<string, PortRoutes>
  readonly policies: TrafficPolicies
  readonly backendTls: BackendTlsPolicies
}

function linkService(
  service: ResourceOf<'Service'>,
  { snapshot, trustDomain, mesh, routes, policies, backendTls }: Context,
): Linked<Service> {
  const { namespace, name } = service.metadata
  const problems: Problem[] = []
  const ports = service.spec.ports.map((spec, index): ServicePort => {
    const tls = backendTls.ofPort(service, spec.name)
    const linked = linkEndpoints(service, { spec, index, tls: tls !== undefined }, { snapshot, trustDomain })
    problems.push(...linked.problems)
    const origin = originOf(service, `spec.ports[${index}]`)
    const key = `${namespace}/${name}/${spec.port}`
    const ofPort = policies.ofPort(key)
    return {
      port: spec.port,
      name: spec.name,
      protocol: spec.protocol,
      ...portRules(service, index, routes.get(key), policies),
      ...linked.value,
      ...(tls && { tls }),
      loadBalancing: mesh.loadBalancing,
      ...mergeTraffic(ofPort, spec, policies.failoverFor(service, spec.port)),
      ...enforcedAt(spec, ofPort),
      origin,
    }
  })
  return { value: { namespace, name, ports, origin: originOf(service, 'spec') }, problems }
}

const hasSidecar = ({ spec }: ResourceOf<'Workload'>): boolean =>
  spec.gateway !== undefined || spec.outbound !== undefined || spec.ports.some((port) => port.inbound !== undefined)

function linkWorkload(
  workload: ResourceOf<'Workload'>,
  { snapshot, trustDomain, limitsOf }: Pick<Context, 'snapshot' | 'trustDomain'> & { readonly limitsOf: InboundLimits },
): Workload {
  const { metadata, spec } = workload
  const authorization = authorizationOf(workload, { snapshot, trustDomain })
  const inbound = spec.ports.flatMap((port): InboundPort[] => {
    if (port.inbound === undefined) return []
    const { mode, from, field } = mtlsMode(workload, port.targetPort, snapshot)
    const mtlsOrigin = from === undefined ? undefined : originOf(from, field)
    return [
      {
        name: port.name,
        address: port.inbound,
        targetPort: port.targetPort,
        protocol: port.protocol,
        mtls: mode,
        mtlsOrigin,
        authorization,
        ...limitsOf(workload, port),
      },
    ]
  })
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    service: spec.service,
    identity: identityOf(workload, trustDomain),
    inbound,
    outbound: spec.outbound,
    capture: spec.capture,
    ...(spec.proxy && { proxy: spec.proxy }),
    gateway: spec.gateway && {
      gateway: `${metadata.namespace}/${spec.gateway.name}`,
      host: spec.gateway.bindHost,
      address: spec.gateway.address,
      portMap: spec.gateway.portMap,
      authorization,
    },
    ...(spec.locality && { locality: spec.locality }),
    origin: originOf(workload, 'spec'),
  }
}
