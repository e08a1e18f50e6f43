import { formatAddress, type Address } from '../../base/address.ts'
import { grpcStatus, grpcStatusNames, grpcStatusOfHttp, readGrpcStatus } from '../../base/grpc.ts'
import { randomUuid } from '../../base/random-uuid.ts'
import { compileStrftime } from '../../base/strftime.ts'
import { asWireText, readWireText } from '../../base/string-match.ts'
import type { PlainCommand, ValueCommand, ValuePart } from '../config.ts'
import { headerValue } from '../http/headers.ts'
import { clientOf, type Call, type Peer } from '../http/service.ts'
import { namesGrpc, protocolName } from './call-words.ts'
import type { Known } from './known.ts'
import { peerValidity, peerValue } from './peer-values.ts'
import { deniedDetails, longFlags, responseDetails, transportFailure } from './response-details.ts'

/** What a command comes to; undefined: there is no such thing in this case. */
export type Value = string | number | undefined

/** Finds one value out. */
export type ValueOf = (known: Known) => Value

/** Where a value goes: `wire` into a header, whose bytes are characters; else into a text. `absent`: what stands there for what is not there. */
export interface TextUse {
  readonly absent: '' | '-'
  readonly wire: boolean
}

/** Compiles a text. Done once per configuration. */
export function compileText(parts: readonly ValuePart[], { absent, wire }: TextUse): (known: Known) => string {
  const pieces = parts.map((part) => (typeof part === 'string' ? part : compileCommand(part, wire)))
  return (known) => {
    let text = ''
    for (const piece of pieces) text += typeof piece === 'string' ? piece : (piece(known) ?? absent)
    return text
  }
}

/** Compiles a single command; `wire` as in `TextUse`. Source: Envoy, "Access logging", "Command Operators". */
export function compileCommand(command: ValueCommand, wire: boolean): ValueOf {
  switch (command.kind) {
    case 'request-header':
      return firstOf(command, wire, requestField)
    case 'response-header':
      return firstOf(command, wire, responseField)
    case 'response-trailer':
      return firstOf(
        command,
        wire,
        (name) =>
          ({ end }) =>
            end?.trailers && headerValue(end.trailers, name),
      )
    case 'start-time':
      return timeOf(command, ({ end }) => end?.beganMs)
    case 'emit-time':
      return timeOf(command, ({ end }) => end?.endedMs)
    case 'peer-valid-from':
    case 'peer-valid-until': {
      const { kind } = command
      return timeOf(command, ({ peer }) => peerValidity(kind, peer))
    }
    case 'grpc-status':
      return grpcValue(command.as)
    case 'constant': {
      const { value } = command
      return () => value
    }
    default: {
      const { kind } = command
      return plain(kind, wire)
    }
  }
}

function plain(kind: PlainCommand, wire: boolean): ValueOf {
  switch (kind) {
    case 'remote-address':
      return ({ call, peer }) => formatAddress(call ? clientOf(call) : peer.remote)
    case 'remote-host':
      return ({ call, peer }) => (call ? clientOf(call) : peer.remote).host
    case 'remote-port':
      return ({ call, peer }) => (call ? clientOf(call) : peer.remote).port
    case 'direct-remote-address':
      return ({ peer }) => formatAddress(directOf(peer))
    case 'direct-remote-host':
      return ({ peer }) => directOf(peer).host
    case 'direct-remote-port':
      return ({ peer }) => directOf(peer).port
    case 'local-address':
      return ({ peer }) => formatAddress(localOf(peer))
    case 'local-host':
      return ({ peer }) => localOf(peer).host
    case 'local-port':
      return ({ peer }) => localOf(peer).port
    case 'server-name':
      // A stranger's word, which must not look like more than a name.
      return ({ peer }) => peer.serverName?.replaceAll(/[^\w.-]/g, '_')
    case 'tls-version':
      return ({ peer }) => peer.secured?.version
    case 'tls-cipher':
      return ({ peer }) => peer.secured?.cipher
    case 'connection-id':
      return ({ peer }) => connectionId(peer)
    case 'protocol':
      return ({ call }) => call && protocolName(call)
    case 'route':
      return ({ end }) => end?.detail?.routeName
    case 'cluster':
      return ({ trace, end }) => trace.cluster ?? end?.detail?.routeCluster
    case 'upstream-host':
      return ({ trace }) => trace.endpoint && formatAddress(trace.endpoint)
    case 'response-code':
      return ({ reply, end }) => end?.status ?? reply?.status
    case 'response-details':
      return ({ call, trace, end }) => (call && end ? responseDetails(end.fault, trace) : undefined)
    case 'termination-details':
      return ({ call, end }) =>
        call === undefined && end?.fault?.kind === 'denied' ? deniedDetails(end.fault) : undefined
    case 'transport-failure':
      return ({ end }) => transportFailure(end?.fault)
    case 'flags':
      return ({ end }) => end?.flags.join() || '-'
    case 'long-flags':
      return ({ end }) => end?.flags.map((flag) => longFlags[flag] ?? flag).join() || '-'
    case 'duration':
      return ({ end }) => end && Math.floor(end.durationMs)
    case 'request-duration':
      return ({ call, end }) => since(call, end?.detail?.requestEndedMs)
    case 'response-duration':
      return ({ call, end }) => since(call, end?.detail?.repliedMs)
    case 'response-tx-duration':
      return ({ call, end }) => {
        const repliedMs = end?.detail?.repliedMs
        return call && end && repliedMs !== undefined
          ? Math.max(0, Math.floor(call.startedMs + end.durationMs - repliedMs))
          : undefined
      }
    case 'bytes-received':
      return ({ end }) => end?.bytesReceived
    case 'bytes-sent':
      return ({ end }) => end?.bytesSent
    case 'attempts':
      return ({ end }) => end?.attempts
    case 'upstream-local-address':
      return ({ end }) => end?.detail?.upstreamLocal && formatAddress(end.detail.upstreamLocal)
    case 'upstream-local-host':
      return ({ end }) => end?.detail?.upstreamLocal?.host
    case 'upstream-local-port':
      return ({ end }) => end?.detail?.upstreamLocal?.port
    case 'upstream-protocol':
      return ({ end }) => end?.detail?.upstreamProtocol
    case 'stream-id':
      return ({ call }) => (call ? headerValue(call.headers, 'x-request-id') : randomUuid())
    case 'unique-id':
      return () => randomUuid()
    case 'log-type':
      return ({ end }) => end?.logType
    default:
      return ({ peer }) => {
        const value = peerValue(kind, peer)
        return wire && value !== undefined ? asWireText(value) : value
      }
  }
}

const directOf = ({ direct, remote }: Peer): Address => direct ?? remote
const localOf = ({ destination, local }: Peer): Address => destination ?? local

const since = (call: Call | undefined, atMs: number | undefined): number | undefined =>
  call === undefined || atMs === undefined ? undefined : Math.max(0, Math.floor(atMs - call.startedMs))

const ids = new WeakMap<Peer, number>()
let lastId = 0

/** A number of its own for each connection that somebody asks about, from 1. */
function connectionId(peer: Peer): number {
  let id = ids.get(peer)
  if (id === undefined) ids.set(peer, (id = ++lastId))
  return id
}

/** The decoder has tried the pattern. */
function timeOf(
  { pattern, local }: { readonly pattern: string; readonly local?: true },
  momentOf: (known: Known) => number | undefined,
): ValueOf {
  const writer = compileStrftime(pattern, local)
  return (known) => {
    const ms = momentOf(known)
    return ms === undefined || typeof writer === 'string' ? undefined : writer(ms)
  }
}

/** What a call of gRPC ended with; of other calls nothing. Source: Envoy, `%GRPC_STATUS%`. */
function grpcValue(as: 'camel' | 'snake' | 'number'): ValueOf {
  return (known) => {
    const { call, end } = known
    if (call === undefined || end === undefined || !namesGrpc(call)) return undefined
    const status = repliedGrpcStatus(known)
    if (status === undefined) return undefined
    if (as === 'number') return status
    const name = grpcStatusNames[status] ?? 'UNKNOWN'
    return as === 'snake' ? name : (camelNames[name] ?? camel(name))
  }
}

/** What a reply says of a call of gRPC, in its trailers or its head, else by its HTTP status; undefined: nothing. */
export function repliedGrpcStatus({ reply, end }: Known): number | undefined {
  const text =
    (end?.trailers && headerValue(end.trailers, 'grpc-status')) ?? (reply && headerValue(reply.headers, 'grpc-status'))
  if (text !== undefined) return readGrpcStatus(text)
  if (end === undefined || end.status === 0) return undefined
  // A good reply of HTTP is none of gRPC.
  return end.status === 200 ? grpcStatus.unknown : grpcStatusOfHttp(end.status)
}

/** Where Envoy's name is no other way of writing. */
const camelNames: Readonly<Record<string, string>> = { OK: 'OK', CANCELLED: 'Canceled' }
const camel = (name: string): string =>
  name
    .split('_')
    .map((word) => word[0] + word.slice(1).toLowerCase())
    .join('')

function firstOf(
  { names, longest }: { readonly names: readonly string[]; readonly longest?: number },
  wire: boolean,
  finder: (name: string) => (known: Known) => string | undefined,
): ValueOf {
  const finders = names.map(finder)
  return (known) => {
    for (const find of finders) {
      const value = find(known)
      if (value === undefined) continue
      const cut = longest === undefined ? value : value.slice(0, longest)
      return wire ? cut : readWireText(cut)
    }
    return undefined
  }
}

/** `x-envoy-original-…`: what was asked before a rewrite, which nothing of the message says here. */
function requestField(name: string): (known: Known) => string | undefined {
  switch (name) {
    case ':method':
      return ({ call }) => call?.method
    case ':path':
      return ({ call }) => call?.path
    case ':scheme':
      return ({ call }) => call && schemeOf(call)
    case ':authority':
    case 'host':
      return ({ call }) => call?.authority
    case 'x-envoy-original-path':
      return ({ call }) => (call ? (headerValue(call.headers, name) ?? call.trace.askedPath) : undefined)
    case 'x-envoy-original-host':
      return ({ call }) => (call ? (headerValue(call.headers, name) ?? call.trace.askedAuthority) : undefined)
    default:
      return ({ call }) => call && headerValue(call.headers, name)
  }
}

/** As the client spoke, or said that it was spoken to a proxy in front. Source: Envoy, `ConnectionManagerUtility::mutateRequestHeaders`. */
function schemeOf({ protocol, scheme, headers, peer }: Call): string {
  const forwarded = protocol === 'h2' ? undefined : headerValue(headers, 'x-forwarded-proto')
  return forwarded ?? (peer.tls ? 'https' : scheme)
}

/** `x-envoy-upstream-service-time`: how long the upstream took, in ms, where it has answered. */
function responseField(name: string): (known: Known) => string | undefined {
  const said = ({ reply }: Known): string | undefined => reply && headerValue(reply.headers, name)
  switch (name) {
    case ':status':
      return ({ reply }) => reply && String(reply.status)
    case 'content-length':
      return (known) => said(known) ?? known.end?.length?.toString()
    case 'x-envoy-upstream-service-time':
      return (known) => said(known) ?? serviceTime(known)
    default:
      return said
  }
}

function serviceTime({ call, end }: Known): string | undefined {
  const { repliedMs, requestEndedMs } = end?.detail ?? {}
  if (call === undefined || repliedMs === undefined) return undefined
  return String(Math.max(0, Math.floor(repliedMs - (requestEndedMs ?? call.startedMs))))
}
