import { formatAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Known } from '../format/known.ts'
import { envoyFlags } from '../format/response-details.ts'
import type { Body } from '../http/body.ts'
import { faultSentence, type Fault } from '../http/fault.ts'
import { headerValue } from '../http/headers.ts'
import {
  grpcOutcome,
  isFault,
  responseFlags,
  type Call,
  type CallDetail,
  type Layer,
  type Outcome,
  type Reply,
} from '../http/service.ts'
import type { Logs } from './logs.ts'

/** Where lines go, and what tells their time. */
export interface AccessLogParts {
  readonly direction: 'inbound' | 'outbound'
  readonly clock: Clock
  readonly logs: Logs
}

/** One line per call, and log, when it is over; of its own it is one object of JSON, undefined values left out. */
export function accessLog({ direction, clock, logs }: AccessLogParts): Layer {
  const { plain, needs } = logs
  const tell: Layer = (next) => (call) => {
    // As the caller said it: layers below may edit.
    const { method, authority, path, headers } = call
    call.onEnd((outcome) => {
      const own = (): string => {
        const entry = {
          time: new Date(clock.wallMs()).toISOString(),
          direction,
          method,
          authority,
          path,
          ...describe(call, outcome, clock),
          ...identifiers(headers),
        }
        return `${JSON.stringify(entry)}\n`
      }
      if (plain !== undefined) plain(own())
      else logs.tell(own, () => knownOf(call, outcome, clock))
    })
    return next(call)
  }
  if (!needs.detail) return tell
  const note = noteDetail(logs, clock)
  return (next) => note(tell(next))
}

/** Notes what some format wants to know. */
const noteDetail =
  ({ needs }: Logs, clock: Clock): Layer =>
  (next) =>
  (call) => {
    const detail: CallDetail = needs.moments ? { nowMs: () => clock.nowMs() } : {}
    call.trace.detail = detail
    if (needs.requestEnded) {
      if (call.body.length === 0) detail.requestEndedMs = call.startedMs
      else call.body = noteEnd(call.body, () => (detail.requestEndedMs = clock.nowMs()))
    }
    if (!needs.replied) return next(call)
    return next(call).then((answer) => {
      const isReply = !isFault(answer) && call.trace.endpoint !== undefined
      if (isReply) detail.repliedMs = clock.nowMs()
      return needs.moments ? noteMoments(answer, detail, isReply, clock) : answer
    })
  }

/** When the answer begins to go out, and when the last of it has come. */
function noteMoments(answer: Reply | Fault, detail: CallDetail, isReply: boolean, clock: Clock): Reply | Fault {
  detail.answeredMs = clock.nowMs()
  if (!isReply || isFault(answer)) return answer
  if (answer.body.length === 0) {
    detail.replyEndedMs = detail.answeredMs
    return answer
  }
  return { ...answer, body: noteEnd(answer.body, () => (detail.replyEndedMs = clock.nowMs())) }
}

const noteEnd = (body: Body, ended: () => void): Body => ({
  length: body.length,
  start: (sink) =>
    body.start({
      data: (chunk) => sink.data(chunk),
      end(trailers) {
        ended()
        sink.end(trailers)
      },
      fail: (fault) => sink.fail(fault),
    }),
  resume: () => body.resume(),
  cancel: (fault) => body.cancel(fault),
})

function knownOf(call: Call, outcome: Outcome, clock: Clock): Known {
  const { peer, trace } = call
  const { status, fault, reply, trailers } = outcome
  const endedMs = clock.wallMs()
  const durationMs = clock.nowMs() - call.startedMs
  return {
    peer,
    call,
    trace,
    reply,
    end: {
      beganMs: endedMs - durationMs,
      endedMs,
      durationMs,
      status,
      fault,
      flags: envoyFlags(fault, trace),
      bytesReceived: trace.bytesReceived,
      bytesSent: trace.bytesSent,
      // Looking for an endpoint in vain counts, as in Envoy.
      attempts: trace.attempts || (fault?.kind === 'no-endpoint' ? 1 : 0),
      trailers,
      length: reply?.body.length || undefined,
      detail: trace.detail,
      logType: 'DownstreamEnd',
    },
  }
}

function describe(call: Call, outcome: Outcome, clock: Clock) {
  const { protocol, upgrade, startedMs, peer, trace } = call
  const { status, fault } = outcome
  return {
    protocol,
    upgrade,
    status,
    grpcStatus: grpcOutcome(call, outcome),
    flags: responseFlags(trace, fault) || undefined,
    fault: fault && faultSentence(fault),
    durationMs: Math.round((clock.nowMs() - startedMs) * 1000) / 1000,
    bytesReceived: trace.bytesReceived,
    bytesSent: trace.bytesSent,
    source: peer.principal,
    remote: formatAddress(peer.remote),
    route: trace.route,
    origin: trace.origin,
    configRevision: trace.revision,
    cluster: trace.cluster,
    endpoint: trace.endpoint && formatAddress(trace.endpoint),
    upstreamWorkload: trace.upstreamWorkload,
    upstreamPrincipal: trace.upstreamPrincipal,
    attempts: trace.attempts,
    injectedDelayMs: trace.injectedDelayMs,
    injectedBytesPerSecond: trace.injectedBytesPerSecond,
  }
}

/** What ties this line to others; only read, never made or changed here. */
function identifiers(headers: Call['headers']) {
  return {
    requestId: headerValue(headers, 'x-request-id'),
    traceparent: headerValue(headers, 'traceparent'),
  }
}
