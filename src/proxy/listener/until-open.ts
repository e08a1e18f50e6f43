import type { Clock } from '../../base/clock.ts'

/** A socket that cannot be had is tried for again after so long, ms: whoever has its address may let go of it. */
const againMs = 1000

/** What the wait for a socket is made of. */
export interface OpeningParts {
  readonly clock: Clock
  /** Aborts: it is not wanted any more. */
  readonly signal: AbortSignal
  /** Told once for each reason in a row. */
  readonly failed: (reason: string) => void
}

/** Opens a socket, again and again until it can be had; undefined when it is not wanted any more. */
export async function untilOpen<T>(
  open: () => Promise<T>,
  { clock, signal, failed }: OpeningParts,
): Promise<T | undefined> {
  for (let last = ''; ;) {
    try {
      return await open()
    } catch (error) {
      if (signal.aborted) return undefined
      const reason = String(error)
      if (reason !== last) failed((last = reason))
    }
    try {
      await clock.sleep(againMs, signal)
    } catch {
      return undefined
    }
  }
}
