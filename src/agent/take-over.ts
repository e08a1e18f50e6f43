import type { Clock } from '../base/clock.ts'
import type { SidecarChild } from './sidecar-child.ts'
import type { ToSidecar } from '../proxy/sidecar-messages.ts'

/** One sidecar has taken the place of another. */
export interface Upgraded {
  /** Process numbers. */
  readonly before: number
  readonly after: number
  /** From the start of the new process until it served. */
  readonly tookMs: number
  /** Of a proxy with several workers: each of them. The numbers above are the first one's then. */
  readonly workers?: readonly { readonly before: number; readonly after: number }[]
}

type Figures = Extract<ToSidecar, { kind: 'take-over' }>['figures']

const warmMs = 8000
const readyMs = 5000
const answerMs = 5000

/**
 * Starts a sidecar beside `old` and lets it take over: it gets its configuration and all that the program calls first, then what was
 * counted, then the sockets. From here on both accept; it is the caller who lets the old one finish. When the new one does not come up it
 * is ended, and the old one serves on.
 */
export async function takeOver(
  old: SidecarChild,
  parts: {
    /** Starts one that stands by, for these service ports. */
    readonly begin: (demanded: readonly string[]) => SidecarChild
    readonly lend: (next: SidecarChild) => void
    /** The old one is not what serves any more, or everything stops. */
    readonly isOff: () => boolean
    readonly clock: Clock
  },
): Promise<(Upgraded & { readonly next: SidecarChild }) | { readonly failed: string }> {
  const { clock } = parts
  const startedMs = clock.nowMs()
  const demanded = await old.ask({ what: 'demanded' }, answerMs)
  if (parts.isOff() || 'failed' in demanded) return { failed: 'the sidecar has ended and is started again as it is' }
  const next = parts.begin(demanded.json as readonly string[])
  const failed = (why: string): { failed: string } => {
    next.kill()
    return { failed: `the new sidecar did not come up (${next.lastWords ?? why}); the old one serves on` }
  }
  const warm = await said(next, next.warm, warmMs, clock)
  if (warm !== undefined) return failed(`${warm}: it waited for its configuration`)
  const figures = await old.ask({ what: 'figures' }, answerMs)
  if (parts.isOff()) return failed('the old one has ended meanwhile')
  parts.lend(next)
  next.send({ kind: 'take-over', figures: 'json' in figures ? (figures.json as Figures) : [] })
  const ready = await said(next, next.ready, readyMs, clock)
  if (ready !== undefined) return failed(ready)
  if (parts.isOff()) return failed('the old one has ended meanwhile')
  return { next, before: old.pid ?? 0, after: next.pid ?? 0, tookMs: Math.round(clock.nowMs() - startedMs) }
}

/** Undefined: it has. Otherwise why not. */
async function said(
  { ended }: SidecarChild,
  word: Promise<void>,
  timeoutMs: number,
  clock: Clock,
): Promise<string | undefined> {
  const over = new AbortController()
  const late = clock.sleep(timeoutMs, over.signal).then(
    () => `not within ${timeoutMs / 1000} s`,
    () => undefined,
  )
  const result = await Promise.race([word.then(() => undefined), ended.then((how) => `it ended: ${how}`), late])
  over.abort()
  return result
}
