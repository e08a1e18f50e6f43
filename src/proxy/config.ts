import type { Cluster } from './config/cluster.ts'
import type { Listener } from './config/listener.ts'
import type { RouteTable } from './config/route.ts'
import type { KeyPair } from './config/tls.ts'
export type * from './config/origin.ts'
export type * from './config/collector.ts'
export type * from './config/access-log.ts'
export type * from './config/value-format.ts'
export type * from './config/listener.ts'
export type * from './config/header-case.ts'
export type * from './config/authorization.ts'
export type * from './config/matching.ts'
export type * from './config/route.ts'
export type * from './config/rate-limit.ts'
export type * from './config/external-limit.ts'
export type * from './config/hedging.ts'
export type * from './config/adaptive-concurrency.ts'
export type * from './config/injected-faults.ts'
export type * from './config/cluster.ts'
export type * from './config/health-check.ts'
export type * from './config/session.ts'
export type * from './config/tls.ts'
export type * from './config/tracing.ts'
export type * from './config/udp.ts'

/**
 * THE SECOND WAIST: all that a proxy knows, decoded from xDS. Plain read-only data; no protobuf beyond `proxy/xds/`. A new value
 * replaces the old one whole; parts that did not change are the same objects, so that `===` tells what changed.
 * An absent xDS field has been filled with what Envoy's .proto says; every default of Weft was written out by the control plane.
 */
export interface ProxyConfig {
  /** What the control plane calls the newest state that changed something here; absent: it gives its states no names. */
  readonly revision?: string
  readonly listeners: ReadonlyMap<string, Listener>
  /** By name: `<namespace>/<service>/<port>`. Only what this proxy uses. */
  readonly routes: ReadonlyMap<string, RouteTable>
  /** Complete with their endpoints: an EDS cluster appears here only once its endpoints have come (it is warm). */
  readonly clusters: ReadonlyMap<string, Cluster>
  /** Every service that has a name, by `<namespace>/<service>`. */
  readonly names: ReadonlyMap<string, NamedService>
  /** Trust bundles by secret name (PEM, one or more certificates). */
  readonly trust: ReadonlyMap<string, string>
  /** Where this proxy is, and the cluster that it belongs to itself; absent: nobody has said so. xDS: node.locality, local_cluster_name. */
  readonly place?: Place
  /** Certificates with their keys by secret name; the workload's own is not among them. */
  readonly certificates: ReadonlyMap<string, KeyPair>
}

/** "region/zone/sub-zone" as far as it is said, and the name of a cluster. */
export interface Place {
  readonly locality: string
  readonly cluster: string
}

/** One port of a named service. */
export interface NamedPort {
  readonly port: number
  readonly protocol: 'http' | 'tcp'
  /** Of TCP: connections go by the route table of the port, by their TLS server name. Absent: to the port's own cluster. */
  readonly routed?: true
  /** By which SRV records name it; absent: it has none. */
  readonly name?: string
}

/** One entry of the name table. */
export interface NamedService {
  readonly namespace: string
  readonly name: string
  readonly ports: readonly NamedPort[]
  /** The IPv4 address that DNS answers with, the same everywhere; absent: it has none. */
  readonly virtualIp?: string
  /**
   * Outside of the mesh: it is known by these alone, lower case: host names, IP addresses, "*.suffix". Without a virtual IP connections
   * go on to the addresses that the hosts really have. Absent: a service of the mesh.
   */
  readonly hosts?: readonly string[]
}
