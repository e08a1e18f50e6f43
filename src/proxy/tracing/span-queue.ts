import type { Clock, Timer } from '../../base/clock.ts'
import type { SpanFormat } from './span-format.ts'

/** What became of spans. */
export type SpanOutcome = 'exported' | 'failed' | 'dropped'

/** Where they are sent, and how much may wait. */
export interface SpanQueueParts {
  /** One export; false: the collector did not take it. Never rejects. */
  readonly send: (spans: readonly Buffer[]) => Promise<boolean>
  readonly clock: Clock
  /** When an export begins. */
  readonly batch: Pick<SpanFormat, 'batchSpans' | 'batchMs'>
  /** More that wait are dropped. */
  readonly mostWaiting: number
  readonly counted: (outcome: SpanOutcome, spans: number) => void
}

/** Spans on their way out. */
export interface SpanQueue {
  /** Never waits, never fails. */
  add(span: Buffer): void
  /** Sends what is there; resolves when nothing waits any more. */
  flush(): Promise<void>
}

/** Of one export. */
const mostSpans = 256
/** Whatever the number: a span may be large by what callers say. */
const mostBytes = 4 * 1024 * 1024

/**
 * Collects spans and exports them a batch at a time: when there are enough, and otherwise after a while. One export is under way at a time;
 * what comes meanwhile waits, and what finds no room is dropped, so that a collector which is slow or gone costs spans and nothing else.
 */
export function createSpanQueue({ send, clock, batch, mostWaiting, counted }: SpanQueueParts): SpanQueue {
  const { batchSpans, batchMs } = batch
  let waiting: Buffer[] = []
  let bytes = 0
  let timer: Timer | undefined
  let sending: Promise<void> | undefined
  let flushing = false

  const sendAll = async (): Promise<void> => {
    timer?.cancel()
    timer = undefined
    do {
      const spans = waiting.slice(0, mostSpans)
      waiting = waiting.slice(mostSpans)
      for (const span of spans) bytes -= span.length
      counted((await send(spans)) ? 'exported' : 'failed', spans.length)
    } while (waiting.length >= batchSpans || (flushing && waiting.length > 0))
  }
  const start = (): void => {
    sending ??= sendAll().finally(() => {
      sending = undefined
      if (waiting.length > 0) later()
    })
  }
  const later = (): void => void (timer ??= clock.after(batchMs, start, { background: true }))
  return {
    add(span) {
      if (waiting.length >= mostWaiting || bytes + span.length > mostBytes) return counted('dropped', 1)
      waiting.push(span)
      bytes += span.length
      if (sending !== undefined) return
      if (waiting.length >= batchSpans) start()
      else later()
    },
    async flush() {
      flushing = true
      if (waiting.length > 0) start()
      await sending
      flushing = false
    },
  }
}
