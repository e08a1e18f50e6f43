import type { Clock, Timer } from '../../base/clock.ts'

/** Writes one message; `flushed` is called when it has left for the network. */
export type Write<Message> = (message: Message, flushed: () => void) => void

/** A writer that notices a reader who does not read. */
export interface BoundedWriter<Message> {
  write(message: Message): void
  stop(): void
}

/** Calls `stalled` once when something written has not left after `stalledMs` in which nothing else left either. */
export function boundedWriter<Message>(
  write: Write<Message>,
  { clock, stalledMs, stalled }: { clock: Clock; stalledMs: number; stalled: () => void },
): BoundedWriter<Message> {
  let pending = 0
  let timer: Timer | undefined
  let stopped = false
  const watch = (): void => {
    timer?.cancel()
    timer = undefined
    if (pending === 0 || stopped) return
    timer = clock.after(
      stalledMs,
      () => {
        stopped = true
        stalled()
      },
      { background: true },
    )
  }
  return {
    write(message) {
      if (stopped) return
      pending++
      if (timer === undefined) watch()
      write(message, () => {
        pending--
        watch()
      })
    },
    stop() {
      stopped = true
      watch()
    },
  }
}
