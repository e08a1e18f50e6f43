import type { Clock, Timer } from './clock.ts'

/** What became of entries. */
export type BatchOutcome = 'exported' | 'failed' | 'dropped'

/** When enough waits, and when too much. */
export interface BatchLimits {
  /** An export begins as soon as so many wait, or so many bytes. */
  readonly batchEntries: number
  readonly batchBytes: number
  /** One takes so many at most; about so many bytes too. */
  readonly mostEntries: number
  /** Fewer go after so long, ms. */
  readonly delayMs: number
  /** More that wait are dropped, */
  readonly mostWaiting: number
  /** whatever their number, since an entry may be large by what callers say. */
  readonly mostBytes: number
}

/** Where they are sent, and how much may wait. */
export interface BatchQueueParts {
  /** One export; false: it was not taken. Never rejects. */
  readonly send: (batch: readonly Buffer[]) => Promise<boolean>
  readonly clock: Clock
  readonly limits: BatchLimits
  readonly counted: (outcome: BatchOutcome, entries: number) => void
  /** All that waited is sent. */
  readonly emptied?: () => void
}

/** Entries on their way out. */
export interface BatchQueue {
  /** Never waits, never fails. */
  add(entry: Buffer): void
  /** Sends what is there; resolves when nothing waits any more. */
  flush(): Promise<void>
  /** Drops what waits, but for what is being sent. */
  drop(): void
}

/**
 * Collects entries and exports them a batch at a time: when there are enough, and otherwise after a while. One export is under way at a time;
 * what comes meanwhile waits, and what finds no room is dropped, so that a collector which is slow or gone costs entries and nothing else.
 */
export function createBatchQueue({ send, clock, limits, counted, emptied }: BatchQueueParts): BatchQueue {
  const { batchEntries, batchBytes, mostEntries, delayMs, mostWaiting, mostBytes } = limits
  let waiting: Buffer[] = []
  let bytes = 0
  let timer: Timer | undefined
  let sending: Promise<void> | undefined
  let flushing = false

  const isEnough = (): boolean => waiting.length >= batchEntries || (bytes >= batchBytes && waiting.length > 0)
  const takeBatch = (): readonly Buffer[] => {
    let taken = 0
    let count = 0
    while (count < waiting.length && count < mostEntries && (count === 0 || taken < batchBytes))
      taken += waiting[count++]?.length ?? 0
    const batch = waiting.slice(0, count)
    waiting = waiting.slice(count)
    bytes -= taken
    return batch
  }
  const sendAll = async (): Promise<void> => {
    timer?.cancel()
    timer = undefined
    do {
      const batch = takeBatch()
      counted((await send(batch)) ? 'exported' : 'failed', batch.length)
    } while (isEnough() || (flushing && waiting.length > 0))
  }
  const start = (): void => {
    sending ??= sendAll().finally(() => {
      sending = undefined
      if (waiting.length > 0) later()
      else emptied?.()
    })
  }
  const later = (): void => void (timer ??= clock.after(delayMs, start, { background: true }))
  return {
    add(entry) {
      if (waiting.length >= mostWaiting || bytes + entry.length > mostBytes) return counted('dropped', 1)
      waiting.push(entry)
      bytes += entry.length
      if (sending !== undefined) return
      if (isEnough()) start()
      else later()
    },
    async flush() {
      flushing = true
      if (waiting.length > 0) start()
      await sending
      flushing = false
    },
    drop() {
      timer?.cancel()
      timer = undefined
      if (waiting.length > 0) counted('dropped', waiting.length)
      waiting = []
      bytes = 0
    },
  }
}
