import type { Socket } from 'node:net'
import type { Address } from '../base/address.ts'
import type { BoardRow } from '../base/board.ts'
import type { Clock } from '../base/clock.ts'
import { createKeyedBuckets } from '../base/keyed-buckets.ts'
import { detachHandle } from './listener/handles.ts'
import type { Metrics } from './telemetry/metrics.ts'

/** Sees to it that each worker of a proxy has its part of the connections, whichever of them the kernel woke. */
export interface Spread {
  /** A connection was accepted here. True: another worker has it now. */
  accepted(address: Address, socket: Socket): boolean
  /** A connection came from another worker. True: one more has it now, since this one has closed meanwhile. */
  given(address: Address, socket: Socket): boolean
  /** No more are taken. */
  close(): void
}

/** What it is made of. */
export interface SpreadParts {
  readonly worker: number
  readonly row: BoardRow
  /** Sends a handle to the worker with this line; `done`: it is not ours any more. */
  readonly give: (address: Address, row: number, handle: unknown, done: () => void) => void
  readonly metrics: Metrics
  readonly clock: Clock
}

/** So much more than the worker with the fewest one may have. */
const slack = 1.25
/** Passing one on costs about 0.15 ms of CPU in three processes. Where many come, the kernel spreads them well enough by itself. */
const giving = { burst: 64, perSecond: 100 }
/** What was given away shows on the board of the other within this time, ms. */
const underWayMs = 100

/** Takes connections from now on. */
export function createSpread({ worker, row, give, metrics, clock }: SpreadParts): Spread {
  const label = String(worker)
  const open = metrics.gauge('weft_worker_connections', 'Connections that a worker has accepted.', ['worker']).of(label)
  const passed = metrics
    .counter('weft_worker_connections_given_total', 'Connections that a worker passed on to one that had fewer.', [
      'worker',
    ])
    .of(label)
  const bucket = createKeyedBuckets(1)
  let count = 0
  let closed = false
  let given: { readonly row: number; readonly untilMs: number }[] = []
  const publish = (): void => {
    open.set(count)
    if (!closed) row.publish(count)
  }
  const keep = (socket: Socket): void => {
    count++
    publish()
    socket.once('close', () => {
      count--
      publish()
    })
  }
  /** The line of a worker that ought to have it; undefined: this one. */
  const betterPlace = (): number | undefined => {
    const fewest = row.fewestElsewhere()
    if (fewest === undefined) return undefined
    const nowMs = clock.nowMs()
    given = given.filter(({ untilMs }) => untilMs > nowMs)
    const there = fewest.count + given.filter((one) => one.row === fewest.row).length
    if (count + 1 <= (there + 1) * slack || !bucket.take('', giving, nowMs).allowed) return undefined
    given.push({ row: fewest.row, untilMs: nowMs + underWayMs })
    return fewest.row
  }
  /** True: it is on its way there. */
  const moved = (address: Address, socket: Socket, to: number | undefined): boolean => {
    const handle = to === undefined ? undefined : detachHandle(socket)
    if (to === undefined || handle === undefined) {
      keep(socket)
      return false
    }
    passed.add(1)
    give(address, to, handle, () => socket.destroy())
    return true
  }
  publish()
  return {
    accepted: (address, socket) => moved(address, socket, closed ? undefined : betterPlace()),
    given: (address, socket) => moved(address, socket, closed ? row.fewestElsewhere()?.row : undefined),
    close() {
      closed = true
      row.publish(undefined)
    },
  }
}
