import { createBatchQueue, type BatchLimits, type BatchOutcome, type BatchQueue } from '../../base/batch-queue.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { within } from '../../base/within.ts'

/** What goes to one collector in one form: spans, or the entries of a log. */
export interface ExportPlan {
  /** The same for equal ones, and for no others. */
  readonly key: string
  /** What is lost, in words. */
  readonly what: string
  readonly cluster: string
  readonly limits: BatchLimits
  /** Called when there is something to send, and nothing is open. */
  readonly open: () => Sender
  readonly counted: (outcome: BatchOutcome, entries: number) => void
}

/** Sends batches, one after the other. */
export interface Sender {
  /** A sentence: why it was not taken. Never rejects for an expected failure. */
  send(batch: readonly Buffer[]): Promise<string | undefined>
  /** Ends what is open; resolves when the other side has all of it, or will not have it. */
  finish(): Promise<void>
  /** Gives up what is under way. */
  close(): void
}

/** All that a proxy exports; outlives configurations. */
export interface Exporters {
  /** What takes encoded entries; for equal plans they go the same way. */
  of(plan: ExportPlan): (entry: Buffer) => void
  /** The configuration has changed: those whose keys it has not send what they have, and are no more. `wanted` is asked where it matters. */
  retain(wanted: () => ReadonlySet<string>): void
  /** Sends what waits, for at most so long, ms. */
  flush(boundMs: number): Promise<void>
  /** Gives up what is left; nothing is taken any more. */
  close(): void
  /** How many there are. */
  readonly size: number
}

/** One that has left the configuration may take so long with what it has, ms. */
const leavingMs = 5000

interface Live {
  readonly queue: BatchQueue
  readonly sender: Sender
  gone: boolean
}

/** None is there before it has something to send. */
export function createExporters({ clock, log }: { readonly clock: Clock; readonly log: Log }): Exporters {
  const live = new Map<string, Live>()
  let closed = false
  let wantedKeys: () => ReadonlySet<string> | undefined = () => undefined
  const isWanted = (key: string): boolean => wantedKeys()?.has(key) ?? true

  const open = ({ key, what, cluster, limits, counted, ...plan }: ExportPlan): Live => {
    const sender = plan.open()
    let wasWell = true
    /** Told once when it changes, not for each export. */
    const tell = (problem: string | undefined): boolean => {
      const isWell = problem === undefined
      if (!isWell && wasWell) log.warn(`${what} are lost: the collector does not take them`, { cluster, problem })
      wasWell = isWell
      return isWell
    }
    const queue = createBatchQueue({
      send: (batch) => sender.send(batch).then(tell, (bug: unknown) => tell(String(bug))),
      clock,
      limits,
      counted,
      // What a connection of an earlier configuration still had to tell.
      emptied: () => void (isWanted(key) || free(key, one)),
    })
    const one: Live = { queue, sender, gone: false }
    live.set(key, one)
    return one
  }
  const free = (key: string, one: Live): void => {
    if (one.gone) return
    one.gone = true
    live.delete(key)
    one.queue.drop()
    void within(clock, leavingMs, one.sender.finish()).then(() => one.sender.close())
  }
  return {
    get size() {
      return live.size
    },
    of(plan) {
      let one: Live | undefined
      return (entry) => {
        if (closed) return plan.counted('dropped', 1)
        if (one === undefined || one.gone) one = live.get(plan.key) ?? open(plan)
        one.queue.add(entry)
      }
    },
    retain(wanted) {
      let keys: ReadonlySet<string> | undefined
      wantedKeys = () => (keys ??= wanted())
      for (const [key, one] of live)
        if (!isWanted(key))
          void within(clock, leavingMs, one.queue.flush()).then(() => void (isWanted(key) || free(key, one)))
    },
    async flush(boundMs) {
      if (live.size === 0) return
      const all = Array.from(live.values(), ({ queue, sender }) => queue.flush().then(() => sender.finish()))
      await within(clock, boundMs, Promise.all(all))
    },
    close() {
      closed = true
      for (const one of live.values()) {
        one.gone = true
        one.queue.drop()
        one.sender.close()
      }
      live.clear()
    },
  }
}
