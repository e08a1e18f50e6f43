import type { Body } from '../body.ts'
import type { Fault } from '../fault.ts'
import type { Reply } from '../service.ts'
import type { Refusal } from './framing.ts'
import type { HeadTrouble } from './inbox.ts'

/** The rest of a request that has been answered already. */
export const answeredEarly: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'the answer ended before the request did',
}
/** The body of a reply to HEAD. */
export const noBodyWanted: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'the reply has no body',
}

/** What is sent is no request. */
export const badRequest = ({ status, cause }: Refusal): Fault => ({
  kind: 'bad-request',
  side: 'downstream',
  retry: 'never',
  status,
  cause,
})

/** The client's side of the connection is over. */
export const clientGone = (cause: string): Fault => ({ kind: 'client-gone', side: 'downstream', retry: 'never', cause })

/** No byte in either direction for too long. */
export const silent = (timeoutMs: number): Fault => ({
  kind: 'timeout',
  side: 'upstream',
  retry: 'if-idempotent',
  what: 'idle',
  timeoutMs,
})

/** A request that was not here in time. */
export const lateRequest = (timeoutMs: number): Fault =>
  badRequest({ status: 408, cause: `the request was not complete within ${timeoutMs} ms` })

/** A call that lasted too long because its request never ended is the client's doing. Source: envoy, `maybeRequestTimeoutCode`. */
export const whoseDelay = (fault: Fault, isComing: boolean): Fault =>
  isComing && fault.kind === 'timeout' && fault.what === 'stream' ? lateRequest(fault.timeoutMs) : fault

/** What a head that never ends well is answered with. */
export const refusalOf = (trouble: HeadTrouble | undefined): Refusal =>
  trouble === 'bare line end'
    ? { status: 400, cause: 'a line that does not end with CR LF' }
    : trouble === 'head too long'
      ? { status: 431, cause: 'the request head is over 60 KiB' }
      : { status: 414, cause: 'the request line is over 8 KiB' }

/** An answer that nobody can be given. */
export function dropReply({ body, tunnel }: Reply, fault: Fault = answeredEarly): void {
  const drop = (one: Body | undefined): void => one?.cancel(fault)
  drop(body)
  drop(tunnel?.incoming)
}
