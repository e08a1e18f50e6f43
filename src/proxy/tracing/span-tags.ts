import { formatAddress, unmapped } from '../../base/address.ts'
import { grpcStatus, readGrpcStatus } from '../../base/grpc.ts'
import { readWireText } from '../../base/string-match.ts'
import type { Tracing } from '../config.ts'
import { namesGrpc, protocolName } from '../format/call-words.ts'
import { envoyFlags, resetReason } from '../format/response-details.ts'
import type { Fault } from '../http/fault.ts'
import { headerValue } from '../http/headers.ts'
import { isFault, type Call, type CallAttempt, type Outcome } from '../http/service.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'

/** One try at one endpoint. Times by the monotonic clock. */
export interface Attempt extends CallAttempt {
  readonly spanId: string
  readonly beganMs: number
  /** 0: the first. */
  readonly count: number
  /** It took longer than it should. */
  late: boolean
}

/** Attributes, and whether the span has failed. */
export interface SpanTags {
  readonly attributes: readonly SpanAttribute[]
  readonly failed: boolean
}

/** A cluster by both its names. */
export interface SpanCluster {
  readonly name: string
  readonly observedAs: string
}

/** What they depend on besides. `believed`: what the caller says of itself is. */
export interface CallTagsParts {
  readonly tracing: Tracing
  readonly kind: EndedSpan['kind']
  readonly cluster: SpanCluster | undefined
  readonly believed: boolean
}

/** The tags of a whole call, by Envoy's names. Source: Envoy, `HttpTracerUtility::finalizeDownstreamSpan`. */
export function callTags(
  call: Call,
  { status, fault, reply, trailers }: Outcome,
  { tracing, kind, cluster, believed }: CallTagsParts,
): SpanTags {
  const { peer, trace } = call
  const attributes: SpanAttribute[] = []
  const requestId = headerValue(call.headers, 'x-request-id')
  if (requestId !== undefined) attributes.push(['guid:x-request-id', readWireText(requestId)])
  attributes.push(
    ['http.url', urlOf(call, tracing.maxPathLength)],
    ['http.method', call.method],
    ['downstream_cluster', believed ? wordOf(call, 'x-envoy-downstream-service-cluster', '-') : '-'],
    ['user_agent', wordOf(call, 'user-agent', '-')],
    ['http.protocol', protocolName(call)],
    ['peer.address', unmapped((peer.direct ?? peer.remote).host)],
  )
  const clientId = wordOf(call, 'x-client-trace-id', '')
  if (clientId !== '') attributes.push(['guid:x-client-trace-id', clientId])
  attributes.push(['request_size', String(trace.bytesReceived)], ['response_size', String(trace.bytesSent)])
  pushCommon(attributes, cluster, status, envoyFlags(fault, trace))
  if (namesGrpc(call)) pushGrpcRequest(attributes, call)
  const grpc = pushGrpcReply(attributes, [trailers, reply?.headers])
  return { attributes, failed: hasFailed(kind, status, grpc) }
}

/** The tags of one attempt. No outcome: another one took its place. Source: Envoy, `HttpTracerUtility::finalizeUpstreamSpan`. */
export function attemptTags(
  { trace }: Call,
  { count, answered, late }: Attempt,
  { outcome, cluster }: { readonly outcome: Outcome | undefined; readonly cluster: SpanCluster | undefined },
): SpanTags {
  const answer = answered?.answer
  const failure = answer && isFault(answer) ? answer : undefined
  const cut = failure !== undefined && isCut(failure)
  const fault = cut && !(failure.kind === 'timeout' && failure.ofAttempt === true) ? undefined : failure
  const reply = answer && !isFault(answer) ? answer : undefined
  const attributes: SpanAttribute[] = []
  if (count > 0) attributes.push(['retry.count', String(count)])
  if (cut || (outcome === undefined && fault === undefined)) attributes.push(['canceled', 'true'])
  const reason = fault && resetReason(fault)
  if (reason !== undefined) attributes.push(['error.reason', reason])
  attributes.push(['http.protocol', trace.detail?.upstreamProtocol ?? '-'])
  const address = trace.endpoint && formatAddress(trace.endpoint)
  if (address !== undefined) attributes.push(['upstream_address', address], ['peer.address', address])
  const status = reply?.status ?? 0
  const flags = envoyFlags(fault, {})
  pushCommon(attributes, cluster, status, late && !flags.includes('UT') ? ['UT', ...flags] : flags)
  const grpc = pushGrpcReply(attributes, [outcome?.trailers, reply?.headers])
  return { attributes, failed: hasFailed('client', status, grpc) }
}

function pushCommon(
  attributes: SpanAttribute[],
  cluster: SpanCluster | undefined,
  status: number,
  flags: readonly string[],
): void {
  attributes.push(['component', 'proxy'])
  if (cluster !== undefined)
    attributes.push(['upstream_cluster', cluster.name], ['upstream_cluster.name', cluster.observedAs])
  attributes.push(['http.status_code', String(status)], ['response_flags', flags.join() || '-'])
  if (status === 0 || status >= 500) attributes.push(['error', 'true'])
}

function pushGrpcRequest(attributes: SpanAttribute[], call: Call): void {
  attributes.push(
    ['grpc.path', readWireText(call.path)],
    ['grpc.authority', readWireText(call.authority)],
    ['grpc.content_type', wordOf(call, 'content-type', '')],
  )
  const timeout = wordOf(call, 'grpc-timeout', '')
  if (timeout !== '') attributes.push(['grpc.timeout', timeout])
}

/** What the caller has done wrong is no failure of the one that it called. */
const callersMistakes: ReadonlySet<number> = new Set([0, 1, 3, 5, 6, 7, 9, 10, 11, 16])

function pushGrpcReply(
  attributes: SpanAttribute[],
  places: readonly (Outcome['trailers'] | undefined)[],
): number | undefined {
  const said = places.find((fields) => fields !== undefined && headerValue(fields, 'grpc-status') !== undefined)
  if (said === undefined) return undefined
  const written = headerValue(said, 'grpc-status') ?? ''
  const status = readGrpcStatus(written) ?? grpcStatus.unknown
  const message = headerValue(said, 'grpc-message')
  attributes.push(['grpc.status_code', written])
  if (message !== undefined) attributes.push(['grpc.message', readWireText(message)])
  if (!callersMistakes.has(status) && !attributes.some(([name]) => name === 'error')) attributes.push(['error', 'true'])
  return status
}

/** What a server is at fault for; to a client all but OK and 1xx to 3xx is a failure. Source: OpenTelemetry semantic conventions, "HTTP", "gRPC". */
const serversFailures: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15])

function hasFailed(kind: EndedSpan['kind'], status: number, grpc: number | undefined): boolean {
  if (status >= (kind === 'client' ? 400 : 500)) return true
  return grpc !== undefined && (kind === 'client' ? grpc !== grpcStatus.ok : serversFailures.has(grpc))
}

/** We broke the attempt off, whyever. */
const isCut = ({ kind }: Fault): boolean => kind === 'client-gone' || kind === 'outrun' || kind === 'timeout'

/** With the path that was asked for, so much of it. */
function urlOf(call: Call, longest: number): string {
  const scheme = headerValue(call.headers, 'x-forwarded-proto') ?? call.scheme
  const path = headerValue(call.headers, 'x-envoy-original-path') ?? call.trace.askedPath ?? call.path
  return readWireText(`${scheme}://${call.authority}${path.slice(0, longest)}`)
}

const wordOf = (call: Call, name: string, otherwise: string): string => {
  const value = headerValue(call.headers, name)
  return value === undefined ? otherwise : readWireText(value)
}
