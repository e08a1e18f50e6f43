import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Sweeper } from '../base/sweeper.ts'
import type { TimerWheel } from '../base/timer-wheel.ts'
import type { AccessLog } from './config.ts'
import type { EndpointStates } from './balance/endpoint-state.ts'
import type { Exporters } from './export/exporters.ts'
import type { AuthorizeParts } from './filter/authorize.ts'
import type { Overload } from './overload.ts'
import type { HedgeState } from './hedge-state.ts'
import type { Gradients } from './filter/gradient.ts'
import type { Quotas } from './filter/quota.ts'
import type { RateCounts } from './filter/rate-limit.ts'
import type { RetryBudgets } from './recovery/budget.ts'
import type { Logs } from './telemetry/logs.ts'
import type { TcpMetrics } from './telemetry/record-tcp.ts'
import type { UdpMetrics } from './telemetry/record-udp.ts'
import type { CallMetrics, Self } from './telemetry/record.ts'
import type { SpanExporters } from './tracing/span-exporters.ts'
import type { Upstream } from './upstream/upstream.ts'

/** What outlives every configuration: sockets, counts, what is known about endpoints. One per proxy. */
export interface Shared {
  readonly upstream: Upstream
  readonly overload: Overload
  readonly states: EndpointStates
  readonly budgets: RetryBudgets
  readonly hedges: HedgeState
  readonly gradients: Gradients
  /** Counts a call that a listener refused to keep its program from overload. */
  readonly shed: (listener: string) => void
  readonly rateCounts: RateCounts
  readonly quotas: Quotas
  /** Counts questions to external limiters. */
  readonly limiterAsked: (domain: string, outcome: string) => void
  /** Counts a call that a rate limit refused. */
  readonly rateLimited: (limit: string) => void
  readonly calls: CallMetrics
  readonly tcp: TcpMetrics
  readonly udp: UdpMetrics
  /** Counts the authorization rules that matched, of every action: all that AUDIT does. */
  readonly policyMatched: NonNullable<AuthorizeParts['matched']>
  readonly self: Self
  /** Service ports (`<namespace>/<service>/<port>`) that were called by name since somebody looked, and emptied it. */
  readonly used: Set<string>
  /** Tells of a destination that was refused since nobody registered it. */
  readonly unregistered: (destination: string) => void
  /** Tells of a destination that no datagrams of the program are taken to. */
  readonly refusedDatagrams: (destination: string) => void
  readonly ownNamespace: string
  /** The logs of one place as the configuration has them. */
  readonly logsOf: (logs: readonly AccessLog[]) => Logs
  readonly exporters: Exporters
  readonly spans: SpanExporters
  readonly clock: Clock
  readonly random: Random
  readonly wheel: TimerWheel
  readonly sweeper: Sweeper
  readonly log: Log
}
