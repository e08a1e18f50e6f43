import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'
import type { Call, CallDetail, Peer, Trace } from '../http/service.ts'

/** What values can be made of. */
export interface Known {
  readonly peer: Peer
  /** Absent: it is no call, but a connection. */
  readonly call?: Call
  /** Absent: there is none, or none yet. */
  readonly reply?: ReplySoFar | undefined
  /** Where it went. */
  readonly trace: Pick<Trace, 'cluster' | 'endpoint' | 'isPreflight' | 'span'>
  /** Absent: it is not over. */
  readonly end?: KnownEnd
}

/** What is known of a reply. */
export interface ReplySoFar {
  readonly status: number
  readonly headers: Headers
}

/** What is known once it is over. */
export interface KnownEnd {
  /** Of the wall clock, in ms since the epoch; fractions count. */
  readonly beganMs: number
  readonly endedMs: number
  readonly durationMs: number
  /** 0: nothing was said. */
  readonly status: number
  readonly fault: Fault | undefined
  /** Envoy's response flags. */
  readonly flags: readonly string[]
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly attempts: number
  /** Behind the reply's body. */
  readonly trailers?: Headers | undefined
  /** Of the reply's body, where its head said it. */
  readonly length?: number | undefined
  readonly detail?: CallDetail | undefined
  /** What Envoy calls such a line. */
  readonly logType: 'DownstreamEnd' | 'TcpConnectionEnd' | 'UdpSessionEnd' | 'NotSet'
}
