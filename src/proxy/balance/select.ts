import { formatAddress } from '../../base/address.ts'
import { grpcStatus } from '../../base/grpc.ts'
import type { Cluster } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, trailersOnlyStatus, type Call, type Reply, type Service } from '../http/service.ts'
import type { Balancer } from './balancer.ts'
import type { EndpointState } from './endpoint-state.ts'
import { hearReports } from './hear-reports.ts'
import type { Verdict } from './outlier-window.ts'
import { askedFor } from './override-hosts.ts'

/** Sends one attempt to one endpoint, of a cluster: pool and codec. */
export type Send = (call: Call, to: EndpointState, of: Cluster) => Promise<Reply | Fault>

/** What `select` needs. */
export interface SelectParts {
  /** Name of the cluster, for records and the fault. */
  readonly cluster: string
  readonly balancer: Balancer
  readonly send: Send
  /** `Cluster.overrideHeaders`. */
  readonly overrideHeaders?: readonly string[] | undefined
  /** Further picks to find an endpoint that was not tried: `RetryPolicy.hostSelectionAttempts`. */
  readonly furtherPicks?: number | undefined
  /** `RetryPolicy.avoidPrioritiesEvery`. */
  readonly avoidPrioritiesEvery?: number | undefined
}

/**
 * The innermost decision: picks the endpoint, notes it in the call's trace, counts the call there as active until it ends (or this
 * attempt fails), and tells outlier detection how it went: an error at its head, anything else at its end, since a reply that breaks off is a
 * failure too. No endpoint: fault `no-endpoint`. Counts `trace.attempts` up.
 */
export function select(parts: SelectParts): Service {
  const { cluster, balancer, send, furtherPicks, avoidPrioritiesEvery, overrideHeaders } = parts
  const noEndpoint: Fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster }
  /** Where its session does not say. */
  const chosen = (call: Call): EndpointState | undefined => {
    if (call.session?.strict === true && call.session.wanted !== undefined) return undefined
    const asked = overrideHeaders && askedFor(call, overrideHeaders, balancer)
    return asked ?? balancer.pick(call.trace.tried, furtherPicks, call.hash, avoidPrioritiesEvery)
  }
  return (call) => {
    const { trace } = call
    trace.cluster = cluster
    const state = ofSession(call, balancer) ?? chosen(call)
    if (state === undefined) return Promise.resolve(noEndpoint)
    trace.endpoint = state.endpoint.address
    if (call.session !== undefined) call.session.taken = state.address
    trace.upstreamWorkload = state.endpoint.workload
    trace.upstreamPrincipal = undefined
    trace.attempts++
    state.activeCalls++
    const owner = balancer.ownerOf(state)
    const { timed, reported } = owner
    const sentMs = timed === undefined ? 0 : balancer.nowMs()
    return send(call, state, owner.cluster).then(
      (answer) => {
        const verdict = verdictOf(answer)
        // A good head is not yet a good reply; of a tunnel it is all that there is to judge.
        const isOpen = verdict === 'success' && !isFault(answer) && answer.tunnel === undefined
        if (verdict !== undefined) {
          if (!isOpen) owner.report(state, verdict)
          timed?.(state, balancer.nowMs() - sentMs, verdict)
        } else if (isFault(answer) && answer.kind === 'outrun') {
          // Others were quicker: it is at least as slow as that.
          timed?.(state, balancer.nowMs() - sentMs, 'success')
        }
        if (isFault(answer)) state.activeCalls--
        else {
          call.onEnd(({ fault }) => {
            state.activeCalls--
            if (!isOpen) return
            const isBroken = fault?.kind === 'truncated' && formatAddress(fault.endpoint) === state.address
            owner.report(state, isBroken ? 'local-failure' : 'success')
            if (isBroken) timed?.(state, balancer.nowMs() - sentMs, 'local-failure')
          })
          if (reported !== undefined) return hearReports(answer, (report) => reported(state, report))
        }
        return answer
      },
      (bug: unknown) => {
        state.activeCalls--
        throw bug
      },
    )
  }
}

/** Where the call's session is, unless that has failed this call already. */
function ofSession({ session, trace }: Call, balancer: Balancer): EndpointState | undefined {
  const { wanted } = session ?? {}
  return wanted === undefined || trace.tried.includes(wanted) ? undefined : balancer.named(wanted)
}

/** What the answer says about the endpoint; undefined: nothing, as when the client went away. */
export function verdictOf(answer: Reply | Fault): Verdict | undefined {
  if (!isFault(answer)) {
    if (answer.status < 500) return verdictOfGrpc(trailersOnlyStatus(answer))
    return answer.status >= 502 && answer.status <= 504 ? 'gateway-failure' : '5xx'
  }
  return answer.side === 'upstream' && answer.kind !== 'no-endpoint' ? 'local-failure' : undefined
}

/** What an error of the server's own says, as its HTTP counterpart does; other statuses are answers to the caller's mistakes. */
function verdictOfGrpc(status: number | undefined): Verdict {
  switch (status) {
    case grpcStatus.unavailable:
    case grpcStatus.deadlineExceeded:
      return 'gateway-failure'
    case grpcStatus.unknown:
    case grpcStatus.internal:
    case grpcStatus.dataLoss:
      return '5xx'
    default:
      return 'success'
  }
}
