import type { Address } from '../../base/address.ts'
import type { AdaptiveConcurrency } from './adaptive-concurrency.ts'
import type { AccessLog } from './access-log.ts'
import type { Authorization } from './authorization.ts'
import type { ExternalLimit } from './external-limit.ts'
import type { HeaderCase } from './header-case.ts'
import type { Origin } from './origin.ts'
import type { RateLimit } from './rate-limit.ts'
import type { SessionState } from './session.ts'
import type { RouteTable, WeightedCluster } from './route.ts'
import type { Tracing } from './tracing.ts'
import type { UdpProxy } from './udp.ts'
import type { DownstreamTls } from './tls.ts'

export interface Listener {
  readonly name: string
  readonly address: Address
  readonly direction: 'inbound' | 'outbound' | 'unspecified'
  /** Peek at the first bytes for TLS, server name and ALPN before a chain is chosen. xDS: listener filter tls_inspector. */
  readonly inspectTls: boolean
  /** Peek at what comes in plain text, too: HTTP's version is then what chains take for the client's ALPN. Absent: no. xDS: listener filter http_inspector. */
  readonly inspectHttp?: boolean
  /** How long the peek may wait, in ms; 0 waits for ever. xDS: listener_filters_timeout. */
  readonly inspectTimeoutMs: number
  /** After that time go on as if plain text had come (the server may speak first); absent or false: close. xDS: continue_on_listener_filters_timeout. */
  readonly continueOnInspectTimeout?: boolean
  /** A PROXY header is read in front of everything else, and believed. xDS: listener filter proxy_protocol. */
  readonly proxyProtocol?: ProxyProtocolIn
  /** Datagrams are taken, not connections: no filter chain is looked at. */
  readonly udp?: UdpProxy
  readonly filterChains: readonly FilterChain[]
  /** None and no match: the connection is closed. */
  readonly defaultFilterChain: FilterChain | undefined
  /** Explicit mode: absolute-form requests and CONNECT, routed by the name table first (`weft.dev` metadata `routing: names`). */
  readonly routeByName: boolean
  /** The kernel is asked where connections were for; chains are chosen by that. xDS: listener filter original_dst. */
  readonly restoresDestination?: boolean
  /** Connections that were for the address of another listener are served as that one says. xDS: use_original_dst. */
  readonly handsOver?: boolean
  /** Nothing is bound: connections come from listeners that hand over. xDS: bind_to_port false. */
  readonly unbound?: boolean
  /** For each connection, whatever became of it; absent: none. xDS: access_log. */
  readonly accessLog?: readonly AccessLog[]
  /** Connections were redirected here: where they were for decides (`weft.dev` metadata `destination: original`). */
  readonly originalDestination?: boolean
  /** So may be datagrams, and these go on to where they were for (`weft.dev` metadata `datagrams: allow`). Absent: refused. */
  readonly carriesDatagrams?: boolean
}

export interface ProxyProtocolIn {
  /** Connections without a header are taken too. xDS: allow_requests_without_proxy_protocol. */
  readonly optional: boolean
  /** xDS: disallowed_versions, turned round. */
  readonly versions: readonly (1 | 2)[]
}

export interface FilterChain {
  readonly name: string
  readonly match: FilterChainMatch
  readonly tls: DownstreamTls | undefined
  /** Checked once per connection, in order, before the terminal filter. */
  readonly networkFilters: readonly NetworkFilter[]
  readonly terminal: HttpTerminal | TcpTerminal
}

/** Absent or empty: matches anything. Order of criteria as in Envoy's FilterChainMatch. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined
  /** Lower case; `*.suffix` allowed. */
  readonly serverNames: readonly string[]
  readonly transportProtocol: 'tls' | 'raw_buffer' | undefined
  /** ALPN protocols offered by the client; one in common is a match. */
  readonly applicationProtocols: readonly string[]
  /** Absent: nothing is asked of the addresses. */
  readonly addresses?: AddressMatch
}

/** What a filter chain asks of both ends' addresses. */
export interface AddressMatch {
  /** Where the connection was for; the longest prefix wins. xDS: prefix_ranges. */
  readonly destinations: readonly IpRange[]
  /** Who is at the other end of the wire, whatever a PROXY header says. xDS: direct_source_prefix_ranges. */
  readonly directSources: readonly IpRange[]
  /** "local": the same address as the destination, or loopback. xDS: source_type. */
  readonly sourceType: 'any' | 'local' | 'external'
  /** Who asks; a PROXY header is believed where one is read. xDS: source_prefix_ranges. */
  readonly sources: readonly IpRange[]
  readonly sourcePorts: readonly number[]
}

/** xDS: CidrRange. */
export interface IpRange {
  readonly prefix: string
  readonly bits: number
}

/** What becomes of `x-forwarded-client-cert`. xDS: forward_client_cert_details. */
export type ForwardClientCert = 'sanitize' | 'sanitize-set' | 'append-forward' | 'forward-only' | 'always-forward-only'

export interface HttpTerminal {
  readonly kind: 'http'
  readonly statPrefix: string
  /** Inline, or by name from `ProxyConfig.routes`. With `routeByName` the fallback for hosts that the name table lacks. */
  readonly routes: { readonly inline: RouteTable } | { readonly named: string }
  /** In the order given, the router left out. */
  readonly filters: readonly HttpFilter[]
  /** Downstream connection without a request, ms; 0: never. xDS: common_http_protocol_options.idle_timeout. */
  readonly idleTimeoutMs: number
  /** A connection so old takes no more calls and ends, ms; on top comes a random part of the jitter. Absent: never. xDS: common_http_protocol_options.max_connection_duration. */
  readonly maxAgeMs?: number
  /** Absent: 0. */
  readonly ageJitterPercent?: number
  /** Head must be complete in this time, ms; 0: never. xDS: request_headers_timeout. */
  readonly headersTimeoutMs: number
  /** The whole request must be here in this time, ms; absent or 0: never. xDS: request_timeout. */
  readonly requestTimeoutMs?: number
  /** No byte in either direction of a call, ms; 0: never. xDS: stream_idle_timeout. */
  readonly streamIdleTimeoutMs: number
  /** The most that a call may last where its route says nothing of it, ms; absent or 0: for ever. xDS: common_http_protocol_options.max_stream_duration. */
  readonly streamTimeoutMs?: number
  /** What becomes of requests with a field whose name has a `_`; absent: they pass. xDS: headers_with_underscores_action. */
  readonly underscores?: 'refuse' | 'drop'
  /** Who a request of HTTP/1.0 is for that does not say so; absent: it is refused. xDS: http_protocol_options.default_host_for_http_10. */
  readonly defaultHost?: string
  /** How the names of replies' fields are written over HTTP/1; absent: as they came. xDS: http_protocol_options.header_key_format. */
  readonly headerCase?: HeaderCase
  readonly forwardClientCert: ForwardClientCert
  /** What is told of a client's certificate besides its hash. xDS: set_current_client_cert_details. */
  readonly clientCertParts: readonly ('subject' | 'uri' | 'dns')[]
  readonly generateRequestId: boolean
  /** A caller's word about how long it waits bounds its call. xDS: Router.respect_expected_rq_timeout. */
  readonly respectDeadline?: boolean
  /** Upstreams are not told how long a call may take. xDS: Router.suppress_envoy_headers. */
  readonly hideDeadline?: boolean
  /** What clients may ask to change to, lower case; others get 403. xDS: upgrade_configs. */
  readonly upgrades: readonly string[]
  /** What becomes of `server` in replies; absent: the backend's word stays. xDS: server_header_transformation, server_name. */
  readonly serverHeader?: { readonly name: string; readonly how: 'overwrite' | 'if-absent' }
  readonly paths: PathShape
  /** Absent: whoever connects is of the mesh, or our own program. */
  readonly edge?: Edge
  /** Proxies in front whose word about the client holds: so many entries of x-forwarded-for are theirs. Absent: 0. xDS: xff_num_trusted_hops. */
  readonly trustedHops?: number
  /** Clients whose calls are marked with x-envoy-internal, and believed. Absent: none. xDS: internal_address_config. */
  readonly internalAddresses?: readonly IpRange[]
  /** For HTTP/2 of clients; what is absent follows from who they are. xDS: http2_protocol_options. */
  readonly http2?: Http2Sizes
  /** Undefined: off. */
  readonly accessLog: readonly AccessLog[] | undefined
  /** Absent: no spans. xDS: tracing. */
  readonly tracing?: Tracing
}

/** Strangers connect here. xDS: use_remote_address. */
export interface Edge {
  /** False: they get a new x-request-id whatever they bring along. xDS: preserve_external_request_id. */
  readonly keepRequestId: boolean
}

/** Streams that a client may have open at once, and bytes that may be under way on one of them and on the connection. */
export interface Http2Sizes {
  readonly streams?: number
  readonly streamWindowBytes?: number
  readonly connectionWindowBytes?: number
}

/** One form of the path for all that look at it, or as it was asked. xDS: normalize_path, merge_slashes. */
export interface PathShape {
  readonly normalize: boolean
  readonly mergeSlashes: boolean
  /**
   * What becomes of `%2F` and `%5C`, before anything else: they stay, the request is refused, or they are decoded, with or without a redirect
   * to the path that this gives. Absent: refused where paths are normalized, else kept. xDS: path_with_escaped_slashes_action.
   */
  readonly escapedSlashes?: 'keep' | 'refuse' | 'redirect' | 'decode'
}

export interface TcpTerminal {
  readonly kind: 'tcp'
  readonly statPrefix: string
  readonly clusters: readonly WeightedCluster[]
  /** No byte in either direction, ms; 0: for ever. */
  readonly idleTimeoutMs: number
  /** From the first byte to the last, ms; 0: no limit. xDS: max_downstream_connection_duration. */
  readonly maxDurationMs?: number
  /** What the user wrote that sends connections here. xDS: the filter chain's metadata. */
  readonly origin?: Origin
  /** Endpoints tried before the connection is given up. xDS: max_connect_attempts. */
  readonly maxConnectAttempts: number
  /** A client's address decides where the cluster spreads by a hash. xDS: hash_policy source_ip. */
  readonly hashBySource?: true
  readonly accessLog: readonly AccessLog[] | undefined
}

export type NetworkFilter = { readonly kind: 'authorize'; readonly rules: Authorization }

export type HttpFilter =
  | { readonly kind: 'authorize'; readonly rules: Authorization }
  /** Sessions, where no route says something else of them; none: only where one does. xDS: stateful_session. */
  | { readonly kind: 'session'; readonly name: string; readonly state: SessionState | undefined }
  /** `name`: by it a route says something else. No limit: nothing is counted unless a route says so. */
  | { readonly kind: 'rate-limit'; readonly name: string; readonly limit: RateLimit | undefined }
  /** `byRoute`: nobody is asked unless a route says so. */
  | { readonly kind: 'external-limit'; readonly name: string; readonly limit: ExternalLimit; readonly byRoute?: true }
  | { readonly kind: 'adaptive-concurrency'; readonly limit: AdaptiveConcurrency }
  /** Calls of gRPC-Web become gRPC. xDS: GrpcWeb. */
  | { readonly kind: 'grpc-web' }
