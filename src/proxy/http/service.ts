import type { Address } from '../../base/address.ts'
import type { Timer } from '../../base/clock.ts'
import { readGrpcStatus } from '../../base/grpc.ts'
import type { Hash64 } from '../../base/xx-hash.ts'
import type { RouteSpans } from '../config/tracing.ts'
import type { Body, Tunnel } from './body.ts'
import { faultGrpcStatus, flagOf, type Fault } from './fault.ts'
import { headerValue, type Headers } from './headers.ts'

/**
 * THE WAIST of the data plane: everything from the listener's codec down to the upstream's is of this one type, and a filter is a
 * function from service to service. Resolves at the final reply head; an expected failure is a value (`Fault`), never a rejection.
 */
export type Service = (call: Call) => Promise<Reply | Fault>

/** Configuration is bound when it arrives, never per call. */
export type Layer = (next: Service) => Service

/** The downstream connection that a call came on. One object per connection. */
export interface Peer {
  readonly remote: Address
  readonly local: Address
  /** The SPIFFE ID that the peer's certificate proved; undefined on plain text. Never taken from a header. */
  readonly principal: string | undefined
  readonly tls: boolean
  /** The peer's certificate (DER), checked. */
  readonly certificate?: Buffer
  /** The name that its TLS asked for, ended here or passed on. */
  readonly serverName?: string | undefined
  /** What its TLS has agreed on; noted where a log may tell it. */
  readonly secured?: Agreed
  /** Who is at the other end of the wire, where that is another one than `remote`. */
  readonly direct?: Address
  /** Where the connection was for, when it was caught on its way there. */
  readonly destination?: Address
  /** The same at a listener that takes it as its own end: `local`, when that was told by the kernel or a PROXY header. */
  readonly restored?: Address | undefined
}

/** What a connection's TLS has agreed on. */
export interface Agreed {
  readonly version: string
  readonly cipher: string
  /** What this proxy has shown (DER), where a log wants to know. */
  readonly shown?: Buffer | undefined
}

/** What has been found out about a call on its way; for records, never for decisions further out. */
export interface Trace {
  /** The route that matched, by the name of the resource it came from. */
  route?: string | undefined
  /** What the user wrote that made this route. */
  origin?: { readonly resource: string; readonly field: string; readonly revision: string } | undefined
  /** Of the configuration that decided: `ProxyConfig.revision`. */
  revision?: string | undefined
  cluster?: string | undefined
  /** Where the (last) attempt went. */
  endpoint?: Address | undefined
  /** Name of the workload behind `endpoint`, from its metadata. */
  upstreamWorkload?: string | undefined
  /** The SPIFFE ID that the upstream's certificate proved. */
  upstreamPrincipal?: string | undefined
  /** Endpoints that failed this call ("host:port"): a retry prefers others. */
  tried: readonly string[]
  /** What the reply said in `grpc-status`, at its head or in its trailers; noted when it is over. Absent: nothing. */
  grpcStatus?: number | undefined
  /** By how much a policy held the call up on purpose, ms. */
  injectedDelayMs?: number | undefined
  /** How fast a policy let the reply's body pass on purpose. */
  injectedBytesPerSecond?: number | undefined
  /** The last answer was worth another attempt, and there was none left. */
  retriesSpent?: boolean | undefined
  /** It asked what a browser may do, and was answered here. */
  isPreflight?: boolean | undefined
  /** What was asked for, where the route has changed it. */
  askedPath?: string | undefined
  askedAuthority?: string | undefined
  /** Absent: nobody wants to know. */
  detail?: CallDetail | undefined
  /** Absent: the call's listener makes no spans. */
  span?: CallSpan | undefined
  /** Attempts made; 1 without retries. */
  attempts: number
  /** Bytes of the reply's body written downstream so far, without framing; counted by the downstream codec. */
  bytesSent: number
  /** Bytes of the request's body read from downstream so far, without framing; counted by the downstream codec. */
  bytesReceived: number
}

/** A call as a tracer follows it. */
export interface CallSpan {
  /** The route is known: what it says of spans, and the only cluster that it leads to. Decides, and tells those behind. */
  routed(call: Call, words: RouteSpans | undefined, routeCluster: string | undefined): void
  /** An attempt begins; undefined: nobody follows it. */
  attempt(call: Call): CallAttempt | undefined
  /** The exchange that attempts were made in is over. No outcome: nobody wants the answer of the attempt, another takes its place. */
  attemptOver(call: Call, outcome: Outcome | undefined): void
  /** The exchange (a copy of the call) is the call's own from now on. */
  adopted(from: Call, call: Call): void
  /** The attempt that is under way has taken longer than it should. */
  late(call: Call): void
  /** The last attempt was none: there was nobody to ask. */
  forget(call: Call): void
  /** In hex; undefined: it is in no trace. */
  readonly ids: { readonly traceId: string; readonly spanId: string } | undefined
}

/** One try at one endpoint. */
export interface CallAttempt {
  /** By the monotonic clock, ms. */
  answered: { readonly atMs: number; readonly answer: Reply | Fault } | undefined
}

/** What only some logs tell: filled in by those who know it, if an object to fill has been put there. Times by the monotonic clock. */
export interface CallDetail {
  /** The request's last byte had come. */
  requestEndedMs?: number
  /** The head of an upstream's reply was here. */
  repliedMs?: number
  /** Present: somebody wants to know all that follows too. */
  nowMs?: () => number
  /** The (last) attempt went out. */
  sentMs?: number
  /** The upstream's reply had come whole. */
  replyEndedMs?: number
  /** The answer, whoever's, was on its way to the caller. */
  answeredMs?: number
  /** What the (last) rules said of it, and the policy that matched. */
  authorized?: { readonly result: 'allowed' | 'denied'; readonly policy: string | undefined }
  /** Our end of the connection to the upstream. */
  upstreamLocal?: Address
  upstreamProtocol?: 'HTTP/1.1' | 'HTTP/2'
  /** As the route was named by who made it. */
  routeName?: string
  /** The only cluster that the route leads to, if this proxy has it. */
  routeCluster?: string
}

/** A session as one call of it has it. */
export interface CallSession {
  readonly wanted: string | undefined
  /** Nowhere else than to `wanted`. */
  readonly strict: boolean
  /** The endpoint of the (last) attempt. */
  taken: string | undefined
}

/** One request. The header list may be replaced by a layer (never changed in place); everything else below `method` likewise. */
export interface Call {
  method: string
  scheme: 'http' | 'https'
  /** Host or :authority, lower case, without user info; the one name that routing, policy and the upstream all see. */
  authority: string
  /** Path and query as they go upstream. "*" for OPTIONS; for CONNECT the same as `authority`. */
  path: string
  headers: Headers
  body: Body
  readonly protocol: 'http/1.0' | 'http/1.1' | 'h2'
  /** The protocol that the client asks to change to ("websocket"), from Upgrade or extended CONNECT. */
  upgrade?: string | undefined
  readonly peer: Peer
  /** The client that trusted proxies in front name, port 0. Absent: whoever connected. See `clientOf`. */
  client?: Address | undefined
  /** What the route's hash policies know it by; absent: nothing. */
  hash?: Hash64 | undefined
  /** Where its session is ("host:port"; undefined: nowhere yet), and where it went. Absent: it has none. */
  session?: CallSession | undefined
  /** What filters have the caller told in answers of this proxy's own; replies have it by themselves. Absent: nothing. */
  refusalFields?: Headers | undefined
  /** By the monotonic clock, when the request's head was complete. */
  readonly startedMs: number
  readonly trace: Trace
  /** How long no byte may pass in either direction, ms; 0: for ever. Absent: as the listener says. */
  idleTimeoutMs?: number | undefined
  /** When the caller waits no longer, by the monotonic clock, ms. Absent: nobody said so. */
  deadlineMs?: number | undefined
  /** Ends it when it has lasted as long as its listener allows; a route that says something else cancels it. */
  streamTimer?: Timer | undefined
  /** The upstream is not told of it. */
  hidesDeadline?: boolean | undefined
  /** 1xx replies other than 101, as they come; at most 10. */
  onInformational?: ((status: number, headers: Headers) => void) | undefined
  /**
   * Adds to what is told exactly once when the exchange is over: the reply's body has ended (no fault), or why it did not.
   * Where balancing settles its counts and records are written. Called after the last byte was handed to the downstream codec.
   */
  onEnd(settled: (outcome: Outcome) => void): void
  /** Ends the call from outside (client gone, deadline): the request in flight is torn down, `onEnd` gets this fault. */
  cancel(fault: Fault): void
  /** Layers below hear of `cancel`. Called at most once; at once if it was cancelled already. */
  onCancel(heard: (fault: Fault) => void): void
}

/** How an exchange ended. */
export interface Outcome {
  readonly status: number
  readonly fault: Fault | undefined
  /** What the client was answered, our own refusals too. Absent: nothing, or nobody has seen it. */
  readonly reply?: Reply | undefined
  /** What came behind the reply's body. */
  readonly trailers?: Headers | undefined
}

/** The final reply head; the body follows by itself. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
  /** After an accepted CONNECT or upgrade (101): both directions; `body` is empty then. */
  readonly tunnel?: Tunnel
}

/** Who asks, as far as is known: the client that trusted proxies name, else whoever connected. */
export const clientOf = ({ client, peer }: Pick<Call, 'client' | 'peer'>): Address => client ?? peer.remote

/** Whether a call is gRPC's: only over HTTP/2, and only a POST. Source: gRPC over HTTP2, "Requests". */
export const isGrpc = ({ protocol, method, headers }: Pick<Call, 'protocol' | 'method' | 'headers'>): boolean =>
  protocol === 'h2' && method === 'POST' && isGrpcType(headerValue(headers, 'content-type'))

const isGrpcType = (type: string | undefined): boolean =>
  type !== undefined && /^application\/grpc(?:[+;]|$)/.test(type)

/** What a call of gRPC-Web says that it is, and whether its body is text (base64); undefined: it is none. Source: grpc PROTOCOL-WEB.md. */
export function grpcWebType({
  method,
  headers,
}: Pick<Call, 'method' | 'headers'>): { readonly type: string; readonly text: boolean } | undefined {
  if (method !== 'POST') return undefined
  const type = headerValue(headers, 'content-type')
  const found = type === undefined ? null : /^application\/grpc-web(-text)?(?:[+;]|$)/.exec(type)
  return found === null ? undefined : { type: found.input, text: found[1] !== undefined }
}

/** The status of a gRPC reply that consists of a head alone ("trailers-only"), as most errors do; undefined: it is none. */
export function trailersOnlyStatus({ status, body, headers }: Reply): number | undefined {
  if (status !== 200 || body.length !== 0) return undefined
  return grpcStatusIn(headers)
}

/** What a head or trailers say of a gRPC call; undefined: nothing. */
export function grpcStatusIn(headers: Headers): number | undefined {
  const text = headerValue(headers, 'grpc-status')
  return text === undefined ? undefined : readGrpcStatus(text)
}

/** How a call of gRPC ended: what the reply said, else what its fault means; undefined: it was no call of gRPC. */
export function grpcOutcome(call: Call, { fault }: Outcome): number | undefined {
  if (call.trace.grpcStatus !== undefined) return call.trace.grpcStatus
  return fault !== undefined && isGrpc(call) ? faultGrpcStatus(fault) : undefined
}

/** Envoy's response flags for how a call went, separated by commas; "": nothing to be told. Source: Envoy, `%RESPONSE_FLAGS%`. */
export function responseFlags({ injectedDelayMs }: Trace, fault: Fault | undefined): string {
  const flag = fault === undefined ? '' : flagOf[fault.kind]
  if (injectedDelayMs === undefined) return flag
  return flag === '' ? 'DI' : `DI,${flag}`
}

/** A fault has a kind, a reply has not. */
export const isFault = (answer: Reply | Fault): answer is Fault => 'kind' in answer

/** Folds layers, outermost first, over the innermost service. Done once per configuration. */
export function stack(layers: readonly (Layer | undefined)[], innermost: Service): Service {
  return layers.reduceRight<Service>((next, layer) => (layer === undefined ? next : layer(next)), innermost)
}
