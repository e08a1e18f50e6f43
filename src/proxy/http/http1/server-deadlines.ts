import type { Http1ServerParts } from './server-parts.ts'

/** Idle: no request. Head: part of one. Call: a request is being answered. Tunnel: no HTTP any more. Closing: last bytes go out. */
export type State = 'idle' | 'head' | 'call' | 'tunnel' | 'closing' | 'closed'

/** How long a peer may take to hear our last words, once they have left, before the connection is cut; ms. */
const lingerMs = 2000

/** An idle connection that is drained patiently is closed when no call came for this long, ms: whoever pools it hardly uses it. */
const patientIdleMs = 5000

/**
 * What is to be done about a connection that has been in `state`, without a sign of life that counts there, for `waitedMs`. `ofCallMs`: the
 * call's own limit. `patiently`: it is drained so.
 */
export function overdue(
  state: State,
  waitedMs: number,
  { idleTimeoutMs, headersTimeoutMs }: Http1ServerParts,
  { ofCallMs, patiently }: { readonly ofCallMs: number; readonly patiently: boolean },
): 'close' | 'destroy' | 'silent' | undefined {
  const past = (limitMs: number): boolean => limitMs > 0 && waitedMs >= limitMs
  switch (state) {
    case 'idle':
      return past(idleTimeoutMs) || (patiently && past(patientIdleMs)) ? 'close' : undefined
    case 'head':
      return past(headersTimeoutMs) ? 'destroy' : undefined
    case 'call':
    case 'tunnel':
      return past(ofCallMs) ? 'silent' : undefined
    case 'closing':
      return past(lingerMs) ? 'destroy' : undefined
    case 'closed':
      return undefined
  }
}
