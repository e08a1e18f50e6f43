import type { AccessLog } from './access-log.ts'
import type { WeightedCluster } from './route.ts'

/** Datagrams of one source are a session, which goes to one of the clusters by weight and stays with its endpoint. xDS: UdpProxyConfig. */
export interface UdpProxy {
  readonly statPrefix: string
  /** At least one. Several: our control plane says so in `weft.dev` metadata, since udp_proxy knows one only. */
  readonly clusters: readonly WeightedCluster[]
  /** A session without a datagram in either direction ends after so long, ms. */
  readonly idleTimeoutMs: number
  /** What a session is known by where the cluster's balancing asks for that; undefined: by nothing. */
  readonly hash: 'source-ip' | { readonly key: string } | undefined
  readonly accessLog: readonly AccessLog[] | undefined
}
