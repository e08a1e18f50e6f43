import type { AccessLog } from './access-log.ts'

/** Datagrams to one cluster; those of one source are a session, which stays with its endpoint. xDS: UdpProxyConfig. */
export interface UdpProxy {
  readonly statPrefix: string
  readonly cluster: string
  /** A session without a datagram in either direction ends after so long, ms. */
  readonly idleTimeoutMs: number
  /** What a session is known by where the cluster's balancing asks for that; undefined: by nothing. */
  readonly hash: 'source-ip' | { readonly key: string } | undefined
  readonly accessLog: AccessLog | undefined
}
