import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 25

/**
 * Asks `condition` again and again until it gives something other than undefined or false, and hands that over. Fails after `withinMs`
 * with `what` and the reason of the last try, where it threw one.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { withinMs = 20_000 }: { withinMs?: number } = {},
): Promise<Exclude<T, undefined | false>> {
  const start = performance.now()
  for (;;) {
    let last = ''
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`
    }
    if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}${last}`)
    await sleep(pollMs)
  }
}
