import { unmapped, isSocketPath, type Address } from '../../base/address.ts'
import { createProtoWriter, type ProtoWriter } from '../../base/proto-writer.ts'
import type { TagReader } from '../format/custom-tags.ts'
import type { Known, KnownEnd } from '../format/known.ts'
import { transportFailureText } from '../format/response-details.ts'
import { compileCommand } from '../format/value-of.ts'
import { clientOf, type Call, type CallDetail, type Peer } from '../http/service.ts'
import { writeTls } from './log-entry-tls.ts'

const streamId = compileCommand({ kind: 'stream-id' }, false)
const termination = compileCommand({ kind: 'termination-details' }, false)

/**
 * `common_properties`, which is field 1 of entries of both kinds. What we do not know is not there: metadata of filters but RBAC, filter state,
 * and how many bytes a call's heads and frames had. Source: envoy.data.accesslog.v3.AccessLogCommon.
 */
export function writeCommon(writer: ProtoWriter, known: Known, tagsOf: TagReader): void {
  const { call, peer, trace, end } = known
  const common = writer.open(1)
  writeAddress(writer, 2, call === undefined ? peer.remote : clientOf(call))
  writer.raw(ofPeer(peer))
  if (trace.endpoint !== undefined) {
    writeAddress(writer, 13, trace.endpoint)
    if (trace.cluster !== undefined) writer.text(15, trace.cluster)
  }
  for (const [tag, value] of tagsOf(call)) {
    const entry = writer.open(22)
    writer.text(1, tag)
    writer.text(2, value)
    writer.close(entry)
  }
  if (end !== undefined) {
    writer.time(5, end.beganMs)
    if (call !== undefined) writeMoments(writer, call, end)
    writeEnd(writer, known, end)
  }
  writer.close(common)
}

/** What does not change while a connection lives. */
const peers = new WeakMap<Peer, Buffer>()
const peerWriter = createProtoWriter()

function ofPeer(peer: Peer): Buffer {
  let encoded = peers.get(peer)
  if (encoded === undefined) {
    peerWriter.begin()
    writeAddress(peerWriter, 3, peer.destination ?? peer.local)
    writeTls(peerWriter, peer)
    writeAddress(peerWriter, 20, peer.direct ?? peer.remote)
    peers.set(peer, (encoded = peerWriter.take()))
  }
  return encoded
}

/** Source: envoy.config.core.v3.Address. */
function writeAddress(writer: ProtoWriter, field: number, { host, port }: Address): void {
  const address = writer.open(field)
  const inner = writer.open(isSocketPath(host) ? 2 : 1)
  if (isSocketPath(host)) writer.text(1, host)
  else {
    writer.text(2, unmapped(host))
    writer.number(3, port)
  }
  writer.close(inner)
  writer.close(address)
}

/** When what happened, counted from the beginning. Each moment is there only if it came to that. */
function writeMoments(writer: ProtoWriter, { startedMs }: Call, { detail, durationMs, status }: KnownEnd): void {
  if (detail === undefined) return
  const { requestEndedMs, sentMs, repliedMs, replyEndedMs, answeredMs } = detail
  const since = (field: number, ms: number | undefined): void => {
    if (ms !== undefined) writer.time(field, Math.max(0, ms - startedMs))
  }
  since(6, requestEndedMs)
  since(7, sentMs)
  if (sentMs !== undefined && requestEndedMs !== undefined) since(8, Math.max(sentMs, requestEndedMs))
  since(9, repliedMs)
  since(10, replyEndedMs)
  if (status === 0) return
  since(11, answeredMs)
  writer.time(12, durationMs)
}

function writeEnd(writer: ProtoWriter, known: Known, end: KnownEnd): void {
  const { durationMs, fault, flags, attempts, detail, logType } = end
  writer.time(23, durationMs)
  if (detail?.upstreamLocal !== undefined) writeAddress(writer, 14, detail.upstreamLocal)
  if (detail?.authorized !== undefined) writeAuthorized(writer, detail.authorized)
  writeFlags(writer, flags)
  const failure = transportFailureText(fault)
  if (failure !== undefined) writer.text(18, failure)
  if (detail?.routeName) writer.text(19, detail.routeName)
  if (attempts > 0) writer.number(24, attempts)
  const ended = termination(known)
  if (ended !== undefined) writer.text(25, String(ended))
  if (logType === 'NotSet') return
  const id = streamId(known)
  if (id !== undefined) writer.text(26, String(id))
  if (logType === 'TcpConnectionEnd') writeWire(writer, end, known.trace.endpoint !== undefined)
  writer.number(33, logTypes[logType])
}

/** The only metadata that a filter leaves here, by Envoy's names. Source: envoy.config.core.v3.Metadata; Envoy, RBAC filter, "Dynamic metadata". */
function writeAuthorized(writer: ProtoWriter, { result, policy }: NonNullable<CallDetail['authorized']>): void {
  const metadata = writer.open(17)
  const filter = writer.open(1)
  writer.text(1, 'envoy.filters.http.rbac')
  const struct = writer.open(2)
  writeValue(writer, 'enforced_engine_result', result)
  if (policy !== undefined) writeValue(writer, 'enforced_effective_policy_id', policy)
  writer.close(struct)
  writer.close(filter)
  writer.close(metadata)
}

/** A field of `google.protobuf.Struct`. */
function writeValue(writer: ProtoWriter, name: string, text: string): void {
  const field = writer.open(1)
  writer.text(1, name)
  const value = writer.open(2)
  writer.text(3, text)
  writer.close(value)
  writer.close(field)
}

/** Of raw connections these are the same numbers as the others. */
function writeWire(writer: ProtoWriter, { bytesReceived, bytesSent }: KnownEnd, joined: boolean): void {
  const count = (field: number, bytes: number): void => void (bytes > 0 && writer.number(field, bytes))
  count(29, bytesSent)
  count(30, bytesReceived)
  if (!joined) return
  count(31, bytesReceived)
  count(32, bytesSent)
}

/** Source: envoy.data.accesslog.v3.AccessLogType. */
const logTypes = { TcpConnectionEnd: 3, DownstreamEnd: 6, UdpSessionEnd: 13 } as const

/** Source: envoy.data.accesslog.v3.ResponseFlags. */
function writeFlags(writer: ProtoWriter, flags: readonly string[]): void {
  const numbers = flags.flatMap((flag) => flagNumbers[flag] ?? [])
  if (numbers.length === 0) return
  const message = writer.open(16)
  for (const number of numbers) writer.number(number, 1)
  writer.close(message)
}

const flagNumbers: Readonly<Record<string, number>> = {
  LH: 1,
  UH: 2,
  UT: 3,
  LR: 4,
  UR: 5,
  UF: 6,
  UC: 7,
  UO: 8,
  NR: 9,
  DI: 10,
  FI: 11,
  RL: 12,
  RLSE: 14,
  DC: 15,
  URX: 16,
  SI: 17,
  IH: 18,
  DPE: 19,
  UMSDR: 20,
  RFCF: 21,
  NFCF: 22,
  DT: 23,
  UPE: 24,
  NC: 25,
  OM: 26,
  DF: 27,
  DR: 28,
}
