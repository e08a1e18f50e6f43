import { toBinary, type DescMessage, type JsonObject, type MessageShape } from '@bufbuild/protobuf'
import {
  AdminSchema,
  BootstrapSchema,
  ClusterManagerSchema,
  type ClusterManager,
  Bootstrap_DynamicResourcesSchema,
  type Admin,
  type Bootstrap as XdsBootstrap,
  type Bootstrap_DynamicResources as DynamicResources,
} from '../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts'
import { ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { NodeSchema, type Node } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { Address } from '../../base/address.ts'
import { formatAddress } from '../../base/address.ts'
import { isMadeUp } from '../config/made-up.ts'
import { serverProblem } from './ads-target.ts'
import type { Foreign } from './config-flow.ts'
import { decodeApiSource } from './decode-api-source.ts'
import { decodeCds } from './decode-cds.ts'
import { decodeLds } from './decode-lds.ts'
import { mustBeAds, socketAddress } from './decode-parts.ts'
import { decodeSds } from './decode-sds.ts'
import { knownTypes } from './known-types.ts'
import { clustersOfTable, needsOfListener, secretsOfCluster } from './needs.ts'
import { readJson, type ReadJsonParts } from './read-json.ts'
import { fieldNames, join, knowOnly, refusals, within, type Refusals } from './refusals.ts'
import { parseSdsSecret } from './sds-secret.ts'
import { formatLocality } from '../../base/locality.ts'
import type { CertificateSource, Place } from '../config.ts'
import { ownCertificateSecret } from '../../xds/names.ts'
import type { GivenResources } from './resources.ts'

/** What a proxy is started with. Source: envoy.config.bootstrap.v3.Bootstrap. */
export interface Bootstrap {
  readonly node: BootstrapNode
  /** Where it is among those like it; absent: nobody has said so. */
  readonly place?: Place
  /** Undefined: no admin port. */
  readonly admin: Address | undefined
  /** What stands in the file itself; it never changes. */
  readonly given: GivenResources
  /** Where the rest comes from; undefined: there is no rest. */
  readonly ads: AdsSource | undefined
}

/** Who the proxy says that it is. */
export interface BootstrapNode {
  readonly id: string
  readonly cluster: string
  readonly metadata: JsonObject
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string } | undefined
}

/** A control plane, by the name of a static cluster, and the types that are asked of it as a whole. */
export interface AdsSource extends Foreign {
  readonly cluster: string
}

const bootstrapFields = fieldNames('node static_resources dynamic_resources admin cluster_manager')
const nodeFields = fieldNames('id cluster metadata locality')

/** The bootstrap in a parsed YAML or JSON file, or all that speaks against it, each with the path of its field. */
export function decodeBootstrap(
  json: unknown,
  parts: Omit<ReadJsonParts, 'types'>,
): { readonly value: Bootstrap } | { readonly problems: readonly string[] } {
  const refused = refusals()
  const message = readJson(BootstrapSchema, json, { ...parts, types: knownTypes }, refused)
  const value = message && decodeMessage(message, refused)
  return value === undefined || refused.list.length > 0 ? { problems: refused.list } : { value }
}

function decodeMessage(bootstrap: XdsBootstrap, refused: Refusals): Bootstrap {
  knowOnly(BootstrapSchema, bootstrap, bootstrapFields, '', refused)
  const given = decodeGiven(bootstrap, refused)
  const ads = bootstrap.dynamicResources && decodeDynamic(bootstrap.dynamicResources, refused)
  const unreachable = ads && serverProblem(ads.cluster, { given })
  if (unreachable !== undefined) refused.add('dynamic_resources.ads_config', unreachable)
  if (given.LDS.size === 0 && ads?.listeners !== true)
    refused.add('static_resources.listeners', 'expected at least one, or dynamic_resources.lds_config')
  // Without a control plane nothing that is missing will come.
  if (refused.list.length === 0) checkNames({ given, ads }, refused)
  const node = decodeNode(bootstrap.node, refused)
  const place = decodePlace(bootstrap.clusterManager, node, given, refused)
  return { node, ...(place && { place }), admin: decodeAdmin(bootstrap.admin, refused), given, ads }
}

function decodeGiven({ staticResources }: XdsBootstrap, refused: Refusals): GivenResources {
  const all = <S extends DescMessage, T extends { readonly name: string }>(
    kind: 'listeners' | 'clusters' | 'secrets',
    schema: S,
    messages: readonly MessageShape<S>[],
    decode: (bytes: Uint8Array, refused: Refusals) => T,
  ): ReadonlyMap<string, T> => {
    const found = new Map<string, T>()
    for (const [index, message] of messages.entries()) {
      const path = `static_resources.${kind}[${index}]`
      const decoded = decode(toBinary(schema, message), within(refused, path))
      // Envoy gives nameless listeners a name too.
      const named = decoded.name === '' && kind === 'listeners' ? { ...decoded, name: `listener-${index}` } : decoded
      if (named.name === '') refused.add(join(path, 'name'), 'is empty')
      if (found.has(named.name)) refused.add(join(path, 'name'), `${named.name} is there already`)
      found.set(named.name, named)
    }
    return found
  }
  const { listeners = [], clusters = [], secrets = [] } = staticResources ?? {}
  const LDS = all('listeners', ListenerSchema, listeners, decodeLds)
  const taken = new Map<string, string>()
  for (const { name, address, udp } of LDS.values()) {
    const at = `${udp === undefined ? 'tcp' : 'udp'} ${formatAddress(address)}`
    const other = taken.get(at)
    if (other !== undefined && address.port !== 0)
      refused.add('static_resources.listeners', `${name} has the address of ${other}, ${at}`)
    taken.set(at, name)
  }
  const CDS = all('clusters', ClusterSchema, clusters, decodeCds)
  return { LDS, CDS, SDS: all('secrets', SecretSchema, secrets, decodeSds) }
}

/** What the file's own resources name must be in the file, where no control plane could bring it. */
function checkNames({ given, ads }: Pick<Bootstrap, 'given' | 'ads'>, refused: Refusals): void {
  const { LDS, CDS, SDS } = given
  const secrets = (path: string, names: readonly string[]): void => {
    for (const name of names) {
      const { cluster } = parseSdsSecret(name) ?? {}
      const problem = cluster === undefined ? undefined : serverProblem(cluster, { given })
      if (problem !== undefined) refused.add(path, `takes a secret from a server that cannot be asked: ${problem}`)
      else if (cluster === undefined && ads === undefined && !SDS.has(name))
        refused.add(path, `names the secret ${name}, which is not there`)
    }
  }
  const own = (path: string, tls: { readonly certificate: CertificateSource | undefined } | undefined): void => {
    if (tls?.certificate === 'own')
      refused.add(path, `${ownCertificateSecret} is handed over by weft run, and not here`)
  }
  for (const listener of LDS.values()) {
    const path = `static_resources.listeners (${listener.name})`
    const needs = needsOfListener(listener)
    secrets(path, needs.secrets)
    const chains = [...listener.filterChains, listener.defaultFilterChain]
    for (const chain of chains) own(path, chain?.tls)
    for (const name of needs.tables)
      if (ads === undefined) refused.add(path, `takes the routes ${name} from ads, and there is no ads_config`)
    if (ads?.clusters === true) continue
    for (const chain of chains) {
      const { terminal } = chain ?? {}
      const collector = terminal?.kind === 'http' ? terminal.tracing?.exporter.cluster : undefined
      if (collector !== undefined && !CDS.has(collector))
        refused.add(path, `tracing names the cluster ${collector}, which is not there`)
    }
    const missing = chains.flatMap((chain) => {
      const { terminal } = chain ?? {}
      if (terminal?.kind !== 'http' || !('inline' in terminal.routes)) return []
      const table = terminal.routes.inline
      return table.clustersMayBeMissing === true ? [] : clustersOfTable(table)
    })
    for (const name of missing)
      if (!CDS.has(name))
        refused.add(path, `a route names the cluster ${name}, which is not there (validate_clusters: false allows it)`)
  }
  for (const cluster of CDS.values()) {
    const path = `static_resources.clusters (${cluster.name})`
    secrets(path, secretsOfCluster(cluster))
    for (const tls of cluster.transports.values()) own(path, tls)
    for (const [index, name] of (cluster.members ?? []).entries()) {
      const member = CDS.get(name)
      if (member !== undefined && isMadeUp(member))
        refused.add(join(path, `cluster_type.typed_config.clusters[${index}]`), `${name} has no endpoints of its own`)
    }
    if (cluster.edsName !== undefined && ads === undefined)
      refused.add(path, 'takes its endpoints from ads, and there is no ads_config')
  }
}

const managerFields = fieldNames('local_cluster_name')

/** The proxy's own cluster must stand in the file, as in Envoy. */
function decodePlace(
  manager: ClusterManager | undefined,
  { locality }: BootstrapNode,
  { CDS }: GivenResources,
  refused: Refusals,
): Place | undefined {
  if (manager === undefined) return undefined
  knowOnly(ClusterManagerSchema, manager, managerFields, 'cluster_manager', refused)
  const cluster = manager.localClusterName
  if (cluster === '') return undefined
  if (!CDS.has(cluster))
    refused.add('cluster_manager.local_cluster_name', `${cluster} is no cluster of static_resources`)
  return { cluster, locality: formatLocality(locality ?? { region: '', zone: '', subZone: '' }) }
}

const dynamicFields = fieldNames('lds_config cds_config ads_config')

function decodeDynamic(dynamic: DynamicResources, refused: Refusals): AdsSource | undefined {
  const path = 'dynamic_resources'
  knowOnly(Bootstrap_DynamicResourcesSchema, dynamic, dynamicFields, path, refused)
  const { ldsConfig, cdsConfig, adsConfig } = dynamic
  if (ldsConfig !== undefined) mustBeAds(ldsConfig, join(path, 'lds_config'), refused)
  if (cdsConfig !== undefined) mustBeAds(cdsConfig, join(path, 'cds_config'), refused)
  if (adsConfig === undefined) {
    refused.add(join(path, 'ads_config'), 'is missing: it is the only source of dynamic resources that is supported')
    return undefined
  }
  return {
    cluster: decodeApiSource(adsConfig, 'DELTA_GRPC', join(path, 'ads_config'), refused),
    listeners: ldsConfig !== undefined,
    clusters: cdsConfig !== undefined,
  }
}

function decodeNode(node: Node | undefined, refused: Refusals): BootstrapNode {
  if (node !== undefined) knowOnly(NodeSchema, node, nodeFields, 'node', refused)
  const { region, zone, subZone } = node?.locality ?? {}
  return {
    id: node?.id ?? '',
    cluster: node?.cluster ?? '',
    metadata: node?.metadata ?? {},
    locality: node?.locality && { region: region ?? '', zone: zone ?? '', subZone: subZone ?? '' },
  }
}

const adminFields = fieldNames('address')

function decodeAdmin(admin: Admin | undefined, refused: Refusals): Address | undefined {
  if (admin === undefined) return undefined
  knowOnly(AdminSchema, admin, adminFields, 'admin', refused)
  return admin.address && socketAddress(admin.address, 'admin.address', refused)
}
