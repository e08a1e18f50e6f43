import type { Machine } from '../base/machine.ts'
import type { Log } from '../base/log.ts'
import type { Sweeper } from '../base/sweeper.ts'
import type { Fault } from './http/fault.ts'
import type { Admission, Tracked } from './listener/listener.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { SocketRoom } from './upstream/connect.ts'

/** What a proxy at its limits does: it says so to those who ask for more, and goes on serving those whom it serves. */
export interface Overload extends SocketRoom {
  /** What becomes of a connection that has just been accepted; counts it. */
  readonly admit: () => Admission
  /** It is closed. */
  readonly left: () => void
  /** Why no call can be taken now; undefined: they can. */
  readonly fault: Fault | undefined
}

/** Descriptors for what is no connection of a call: admin port, xDS, listeners, logs, the runtime itself. */
const reservedDescriptors = 64
/** This share of the downstream connections is for saying 503 to whoever comes. Source: Envoy's overload actions come in such steps. */
const sheddingShare = 1 / 8
/** Calls are refused from here on, and taken again below the second. Source: Envoy edge example, shrink at 95 %. */
const memoryHigh = 0.95
const memoryLow = 0.9

/**
 * Half of the descriptors are for downstream connections, so that each can have one upstream: where they run out, somebody's call could
 * only fail in the middle. Memory is looked at with every sweep.
 */
export function createOverload({
  machine,
  sweeper,
  metrics,
  log,
}: {
  readonly machine: Machine
  readonly sweeper: Sweeper
  readonly metrics: Metrics
  readonly log: Log
}): Overload {
  const sockets = machine.descriptors - Math.min(reservedDescriptors, machine.descriptors / 2)
  const mostDownstream = Math.max(1, Math.floor(sockets / 2))
  const mostServed = mostDownstream - Math.ceil(Math.min(mostDownstream, 8192) * sheddingShare)
  let downstream = 0
  let upstream = 0
  let memoryShort = false
  const gauge = metrics.gauge(
    'weft_overloaded',
    'Whether calls are refused for want of this, 0 or 1.',
    ['short'],
    'most',
  )
  const told = gauge.of('memory')
  told.set(0)
  sweeper.add({
    sweep() {
      const share = machine.memoryShare()
      if (memoryShort ? share >= memoryLow : share < memoryHigh) return
      memoryShort = !memoryShort
      told.set(memoryShort ? 1 : 0)
      const percent = Math.round(share * 100)
      if (memoryShort) log.warn('memory is short: calls are refused', { percent })
      else log.info('memory is no longer short', { percent })
    },
  })
  return {
    admit() {
      downstream++
      if (downstream > mostDownstream) return 'refused'
      return downstream > mostServed ? 'shed' : 'served'
    },
    left: () => void downstream--,
    take() {
      if (downstream + upstream >= sockets) return false
      upstream++
      return true
    },
    give: () => void upstream--,
    get fault() {
      return memoryShort ? shortOf('memory') : undefined
    },
  }
}

/** Why nothing more is done on this connection now; undefined: nothing is short. */
export const shortage = ({ shed }: Pick<Tracked, 'shed'>, overload: Overload): Fault | undefined =>
  shed ? shortOf('connections') : overload.fault

/** A call that is not taken, so another proxy may have it. */
const shortOf = (short: Extract<Fault, { kind: 'overload' }>['short']): Fault => ({
  kind: 'overload',
  side: 'self',
  retry: 'safe',
  short,
})
