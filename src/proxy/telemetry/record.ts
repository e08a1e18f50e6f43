import type { Clock } from '../../base/clock.ts'
import { grpcOutcome, responseFlags, type Call, type Layer, type Outcome } from '../http/service.ts'
import type { Counter, Gauge, Histogram, Metrics } from './metrics.ts'

/** Who this proxy stands before. */
export interface Self {
  /** Its SPIFFE ID; undefined while it has none. */
  readonly principal: string | undefined
  /** `<namespace>/<name>`. */
  readonly workload: string
  /** `<namespace>/<service>`. */
  readonly service: string
}

/** The families that calls are counted in; one per process. */
export interface CallMetrics {
  /**
   * First in and last out: counts every call once when it is over, our own refusals too. Inbound: the source is the proven
   * principal or "unknown" and the destination is this proxy; outbound: the source is this proxy and the destination the cluster's
   * service and the workload that answered. A call costs a few map look-ups and two increments.
   */
  record(direction: 'inbound' | 'outbound', self: () => Self): Layer
}

const requestLabels = [
  'direction',
  'source',
  'source_workload',
  'destination_service',
  'destination_workload',
  'method',
  'status',
  'grpc_status',
  'flags',
  'tls',
] as const
const durationLabels = ['direction', 'source', 'destination_service', 'destination_workload'] as const

/** Seconds. */
const durationBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]

/** Registers `weft_requests_total`, `weft_request_duration_seconds`, `weft_active_requests`, `weft_plaintext_requests_total`. */
export function createCallMetrics(metrics: Metrics, clock: Clock): CallMetrics {
  const requests = metrics.counter('weft_requests_total', 'Calls that are over.', requestLabels)
  const durations = metrics.histogram(
    'weft_request_duration_seconds',
    'From the request head until the end of the reply.',
    durationLabels,
    durationBounds,
  )
  const active = metrics.gauge('weft_active_requests', 'Calls under way.', ['direction'])
  const plaintext = metrics.counter(
    'weft_plaintext_requests_total',
    'Inbound calls that came without TLS, whose caller is therefore unknown.',
    ['destination_service'],
  )

  return {
    record(direction, self) {
      const inbound = direction === 'inbound'
      const cache: SeriesCache = new Map()
      let generation = metrics.generation
      let cachedFor: Self | undefined
      let activeHere: Gauge | undefined
      let plaintextHere: Counter | undefined

      const refresh = (who: Self): void => {
        generation = metrics.generation
        cachedFor = who
        cache.clear()
        plaintextHere = undefined
        activeHere = undefined
      }
      /** A series that is not 0 does not expire, so both halves of a call meet the same one. */
      const countActive = (by: number): void => {
        if (generation !== metrics.generation) refresh(self())
        ;(activeHere ??= active.of(direction)).add(by)
      }
      const make = (call: Call, { status, grpc, flags, tls }: Ending): CallSeries => {
        const who = self()
        const source = inbound ? (call.peer.principal ?? 'unknown') : (who.principal ?? 'unknown')
        const sourceWorkload = inbound ? '' : who.workload
        const service = inbound ? who.service : serviceOf(call.trace.cluster)
        const workload = inbound ? who.workload : (call.trace.upstreamWorkload ?? '')
        return {
          count: requests.of(
            direction,
            source,
            sourceWorkload,
            service,
            workload,
            methodName(call.method),
            String(status),
            grpc === undefined ? '' : String(grpc),
            flags,
            String(tls),
          ),
          duration: durations.of(direction, source, service, workload),
        }
      }
      const settle = (call: Call, outcome: Outcome): void => {
        const { status, fault } = outcome
        const who = self()
        if (generation !== metrics.generation || cachedFor !== who) refresh(who)
        countActive(-1)
        const { peer, trace } = call
        const tls = inbound ? peer.tls : trace.upstreamPrincipal !== undefined
        const flags = responseFlags(trace, fault)
        const leaf = leafOf(
          cache,
          inbound ? peer.principal : trace.cluster,
          inbound ? undefined : trace.upstreamWorkload,
        )
        const ending: Ending = { status, grpc: grpcOutcome(call, outcome), flags, method: call.method, tls }
        const series = seriesOf(leaf, ending, () => make(call, ending))
        series.count.add(1)
        series.duration.observe((clock.nowMs() - call.startedMs) / 1000)
        if (inbound && !peer.tls) (plaintextHere ??= plaintext.of(who.service)).add(1)
      }
      return (next) => (call) => {
        countActive(1)
        call.onEnd((outcome) => settle(call, outcome))
        return next(call)
      }
    },
  }
}

interface CallSeries {
  readonly count: Counter
  readonly duration: Histogram
}

/** How a call ended, as far as series differ by it. */
interface Ending {
  readonly status: number
  readonly grpc: number | undefined
  readonly flags: string
  readonly method: string
  readonly tls: boolean
}

/** The series of one pair of peers. Most calls end as the one before did, and need no key made. */
interface Leaf {
  last: Ending | undefined
  lastSeries: CallSeries | undefined
  readonly byCode: Map<string, CallSeries>
}
type SeriesCache = Map<string | undefined, Map<string | undefined, Leaf>>

function seriesOf(leaf: Leaf, ending: Ending, make: () => CallSeries): CallSeries {
  const { last, lastSeries } = leaf
  if (last !== undefined && lastSeries !== undefined && sameEnding(last, ending)) return lastSeries
  const { status, grpc, flags, method, tls } = ending
  const code = `${status}${grpc === undefined ? '' : `g${grpc}`}${flags}${methodName(method)}${tls ? '+' : ''}`
  let series = leaf.byCode.get(code)
  if (series === undefined) leaf.byCode.set(code, (series = make()))
  leaf.last = ending
  leaf.lastSeries = series
  return series
}

const sameEnding = (a: Ending, b: Ending): boolean =>
  a.status === b.status && a.grpc === b.grpc && a.flags === b.flags && a.method === b.method && a.tls === b.tls

function leafOf(cache: SeriesCache, first: string | undefined, second: string | undefined): Leaf {
  let middle = cache.get(first)
  if (middle === undefined) cache.set(first, (middle = new Map()))
  let leaf = middle.get(second)
  if (leaf === undefined) middle.set(second, (leaf = { last: undefined, lastSeries: undefined, byCode: new Map() }))
  return leaf
}

/** `shop/reviews/8080` → `shop/reviews`; other names stay. */
export function serviceOf(cluster: string | undefined): string {
  if (cluster === undefined) return 'unknown'
  const slash = cluster.lastIndexOf('/')
  return slash > 0 && /^[0-9]+$/.test(cluster.slice(slash + 1)) ? cluster.slice(0, slash) : cluster
}

/** Methods that anybody could make up are one label. */
const methodName = (method: string): string => (knownMethods.has(method) ? method : 'other')
const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
])
