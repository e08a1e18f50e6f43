import path from 'node:path'
import { systemClock } from '../base/clock.ts'
import type { Info } from '../control/api/contract.ts'
import { runChecks } from './check.ts'
import { serviceFigures, takeReading } from './figures.ts'
import { figuresTable, overview, thingsToTry } from './page.ts'
import { demoFiles } from './programs.ts'
import { planFolder, tour } from './tour.ts'
import { startWorld, type World } from './world.ts'

export interface DemoOptions {
  /** Verify instead of telling, then end. */
  readonly check: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: NodeJS.ProcessEnv
}

const figuresEveryMs = 10_000

/**
 * A whole mesh until Ctrl-C, or with `check` until it is verified. Gives the exit status: 0 done, 1 when a part broke or a check
 * failed. Nothing is left behind in any case.
 */
export async function runDemo({ check, out, err, env }: DemoOptions): Promise<number> {
  const stop = new AbortController()
  const interrupted = (): void => stop.abort(new Interrupted())
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupted)
  let world: World | undefined
  try {
    const clock = systemClock
    const startMs = clock.nowMs()
    world = await startWorld({ clock, env, signal: stop.signal })
    const { controlPlane } = world
    void controlPlane.ended.then(() =>
      stop.abort(
        new Error(`the control plane ended; its last words:\n  ${controlPlane.lastLines().slice(-12).join('\n  ')}`),
      ),
    )
    const running = check ? runChecks(world, out) : show(world, startMs, out, stop.signal)
    return await Promise.race([running, aborted(stop.signal)])
  } catch (error) {
    if (error instanceof Interrupted) return check ? 1 : 0
    err(`weft demo: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    for (const signal of signals) process.off(signal, interrupted)
    if (!check && stop.signal.reason instanceof Interrupted) out('\nstopping the mesh\n')
    // Waiting is over for all that still asks.
    stop.abort(new Interrupted())
    await world?.stop()
  }
}

class Interrupted extends Error {}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function show(world: World, startMs: number, out: (text: string) => void, signal: AbortSignal): Promise<number> {
  const { clock, dataDir, examples } = world
  await world.waitFor(
    () => world.load(),
    ({ ok }) => ok > 0,
  )
  const startedInMs = clock.nowMs() - startMs
  const info = await world.api<Info>('/v1/info')
  if (info !== undefined) out(overview({ info, instances: world.instances(), startedInMs, dataDir }))
  let before = await takeReading(world.instances(), clock)
  const figures = async (): Promise<void> => {
    const now = await takeReading(world.instances(), clock)
    const load = await world.load()
    out(
      `\n${figuresTable(serviceFigures(world.instances(), before, now))}  visits ${load.sent}, failed ${load.failed}\n`,
    )
    before = now
  }
  await clock.sleep(1000, signal)
  await figures()
  await tour(world, out)
  out(thingsToTry({ weft: path.relative('', demoFiles().launcher), dataDir, examples, plans: planFolder(world) }))
  out('\nThe mesh runs on; Ctrl-C removes all of it. What the sidecars count:\n')
  for (;;) {
    await figures()
    await clock.sleep(figuresEveryMs, signal)
  }
}
