import type { Clock } from './clock.ts'

/** Resolves when `done` does, and after `boundMs` at the latest; leaves no timer behind. */
export async function within(clock: Pick<Clock, 'sleep'>, boundMs: number, done: Promise<unknown>): Promise<void> {
  const bound = new AbortController()
  const late = clock.sleep(boundMs, bound.signal).catch(() => {})
  await Promise.race([done, late])
  bound.abort()
}
