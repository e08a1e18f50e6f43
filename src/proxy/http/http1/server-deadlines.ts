import type { Fault } from '../fault.ts'
import { lateRequest, silent } from './server-faults.ts'
import type { Http1ServerParts } from './server-parts.ts'

/** Idle: no request. Head: part of one. Call: a request is being answered. Tunnel: no HTTP any more. Closing: last bytes go out. */
export type State = 'idle' | 'head' | 'call' | 'tunnel' | 'closing' | 'closed'

/** How long a peer may take to hear our last words, once they have left, before the connection is cut; ms. */
const lingerMs = 2000

/** An idle connection that is drained patiently is closed when no call came for this long since then, ms: whoever pools it hardly uses it. */
const patientIdleMs = 5000

/**
 * What is to be done about a connection, or what its call fails with, that has been in `state`, without a sign of life that counts there, for `waitedMs`. `ofCallMs`: the
 * call's own limit. `patiently`: it is drained so. `comingMs`: how long the request has been on its way; undefined: it is here, or answered.
 */
export function overdue(
  state: State,
  waitedMs: number,
  { idleTimeoutMs, headersTimeoutMs, requestTimeoutMs = 0 }: Http1ServerParts,
  call: { readonly ofCallMs: number; readonly patiently: boolean; readonly comingMs: number | undefined },
): 'close' | 'destroy' | Fault | undefined {
  const { ofCallMs, patiently, comingMs = -1 } = call
  const past = (limitMs: number): boolean => limitMs > 0 && waitedMs >= limitMs
  switch (state) {
    case 'idle':
      return past(idleTimeoutMs) || (patiently && past(patientIdleMs)) ? 'close' : undefined
    case 'head':
      if (past(headersTimeoutMs)) return 'destroy'
      return requestTimeoutMs > 0 && comingMs >= requestTimeoutMs ? lateRequest(requestTimeoutMs) : undefined
    case 'call':
      if (requestTimeoutMs > 0 && comingMs >= requestTimeoutMs) return lateRequest(requestTimeoutMs)
      return past(ofCallMs) ? silent(ofCallMs) : undefined
    case 'tunnel':
      return past(ofCallMs) ? silent(ofCallMs) : undefined
    case 'closing':
      return past(lingerMs) ? 'destroy' : undefined
    case 'closed':
      return undefined
  }
}
