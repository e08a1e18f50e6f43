import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Timer } from '../base/clock.ts'
import type { Figures } from '../base/figures.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Watchable } from '../base/watchable.ts'
import type { IdentityMaterial, ToSidecar } from '../proxy/sidecar-messages.ts'
import {
  startSidecarChild,
  type Question,
  type SidecarAnswer,
  type SidecarChild,
  type SidecarChildParts,
} from './sidecar-child.ts'
import type { HeldSocket } from './sockets.ts'
import { takeOver, type Upgraded } from './take-over.ts'

export type { Question, SidecarAnswer } from './sidecar-child.ts'
type Start = Extract<ToSidecar, { kind: 'start' | 'start-bare' }>

/** The sidecar of one workload, kept running. */
export interface Sidecar {
  /** Whether the first one came up, or why it cannot. */
  readonly ready: Promise<{ readonly up: true } | { readonly failed: string }>
  /** Why nobody takes calls now, though it had come up; undefined: they are taken. Absent: they wait at its sockets in any case. */
  readonly outOfService?: Watchable<string | undefined>
  /** A renewed certificate; new connections use it. */
  setIdentity(identity: IdentityMaterial): void
  /** The process that it is to end when we are gone; undefined: none now. */
  setProgram(pid: number | undefined): void
  ask(question: { readonly what: Question; readonly detail?: unknown }, timeoutMs: number): Promise<SidecarAnswer>
  /**
   * A new process (of the files as they are now) takes the place of the one that serves, which finishes what it has for at most
   * `finishMs`. When the new one does not come up, nothing has changed.
   */
  upgrade(finishMs: number): Promise<Upgraded | { readonly failed: string }>
  /**
   * Before the program hears that it has to stop: callers are told to make no more calls, and those under way are waited for, at most
   * `deadlineMs`. It goes on serving.
   */
  drainInbound(deadlineMs: number): Promise<void>
  /** Lets calls in flight finish for at most `deadlineMs`, then ends it; resolves when it is gone. */
  drain(deadlineMs: number): Promise<void>
}

/** The process of one worker. */
export interface WorkerSidecar extends Sidecar {
  /** There is one that serves, or is about to. */
  readonly isServing: boolean
}

const firstRestartMs = 50
const longestRestartMs = 5000
/** One that ran this long did not crash because of how it was started. */
const stableMs = 30_000
const killAfterMs = 1000

/** The sidecar of this build: beside the bundle, or the source when the sources run. */
export function ownSidecarScript(): string {
  const built = fileURLToPath(new URL('./sidecar.js', import.meta.url))
  return fs.existsSync(built) ? built : fileURLToPath(new URL('../proxy/sidecar.ts', import.meta.url))
}

/**
 * Starts the sidecar and starts it again when it ends without being told to: with the same sockets (so no connection is refused
 * meanwhile), after a backoff. `start` is asked each time, so that a new one gets the newest certificate.
 */
export function superviseSidecar(
  parts: SidecarChildParts & {
    readonly sockets: readonly HeldSocket[]
    readonly start: () => Start
    /** What the last process had counted, as far as is known; asked when one has crashed. */
    readonly lastFigures?: () => Figures | undefined
    readonly random: Random
    readonly log: Log
  },
): WorkerSidecar {
  const { clock, random, log } = parts
  const ready = Promise.withResolvers<{ up: true } | { failed: string }>()
  const gone = Promise.withResolvers<void>()
  /** Every process that there is: the one that serves, those that finish, one that is to take over. */
  const children = new Set<SidecarChild>()
  let serving: SidecarChild | undefined
  let wasReady = false
  let stopping = false
  let upgrading = false
  let crashes = 0
  let restart: Timer | undefined
  let program: number | undefined

  const begin = (standBy: Start['standBy']): SidecarChild => {
    const child = startSidecarChild(parts, (figures) => void serving?.send({ kind: 'figures', figures }))
    children.add(child)
    const startedMs = clock.nowMs()
    void child.ended.then((how) => {
      children.delete(child)
      if (child === serving) crashed(child, how, clock.nowMs() - startedMs)
      if (stopping && children.size === 0) gone.resolve()
    })
    if (standBy === undefined) child.lend(parts.sockets)
    const { place: workers } = child
    child.send({
      ...parts.start(),
      ...(standBy === undefined ? {} : { standBy }),
      ...(workers === undefined ? {} : { workers }),
    })
    child.send({ kind: 'program', pid: program })
    return child
  }
  const launch = (): void => {
    parts.desk?.launched()
    const isOneOfSeveral = parts.colleague !== undefined
    const child = begin(isOneOfSeveral ? { demanded: [] } : undefined)
    serving = child
    // Whoever connects until it has its configuration is served by the others.
    if (isOneOfSeveral)
      void child.warm.then(() => {
        child.lend(parts.sockets)
        child.send({ kind: 'take-over', figures: [] })
      })
    const figures = parts.lastFigures?.()
    if (figures !== undefined) child.send({ kind: 'figures', figures })
    void child.ready.then(() => {
      wasReady = true
      parts.desk?.settled()
      ready.resolve({ up: true })
    })
  }
  const crashed = ({ lastWords }: SidecarChild, how: string, ranMs: number): void => {
    serving = undefined
    if (stopping) return
    if (!wasReady && lastWords !== undefined) {
      stopping = true
      return ready.resolve({ failed: lastWords })
    }
    crashes = ranMs > stableMs ? 1 : crashes + 1
    const delayMs =
      Math.min(longestRestartMs, firstRestartMs * 2 ** Math.min(crashes - 1, 10)) * (0.5 + random.below(0.5))
    log.warn('the sidecar ended and is started again', { how, said: lastWords, afterMs: Math.round(delayMs) })
    restart = clock.after(delayMs, launch)
  }
  /** It has so long; then it has had its time. */
  const finish = (child: SidecarChild, deadlineMs: number, patient: boolean): void => {
    child.send({ kind: 'drain', deadlineMs, patient })
    const late = clock.after(deadlineMs + killAfterMs, () => child.kill())
    void child.ended.then(() => late.cancel())
  }
  launch()
  return {
    ready: ready.promise,
    get isServing() {
      return serving !== undefined
    },
    setProgram(pid) {
      program = pid
      for (const child of children) child.send({ kind: 'program', pid })
    },
    setIdentity(identity) {
      for (const child of children) child.send({ kind: 'identity', identity })
    },
    ask: (question, timeoutMs) =>
      serving?.ask(question, timeoutMs) ?? Promise.resolve({ failed: 'the sidecar is not running' }),
    async upgrade(finishMs) {
      const old = serving
      if (stopping) return { failed: 'the workload is stopping' }
      if (upgrading) return { failed: 'another upgrade is under way' }
      if (old === undefined || !wasReady) return { failed: 'the sidecar is being started as it is' }
      upgrading = true
      const result = await takeOver(old, {
        begin: (demanded) => begin({ demanded }),
        lend(next) {
          parts.desk?.launched()
          next.lend(parts.sockets)
        },
        isOff: () => stopping || serving !== old,
        clock,
      })
      upgrading = false
      if ('failed' in result) return result
      parts.desk?.settled()
      serving = result.next
      crashes = 0
      finish(old, finishMs, true)
      const { before, after, tookMs } = result
      log.info('another sidecar has taken over', { before, after, tookMs })
      return { before, after, tookMs }
    },
    async drainInbound(deadlineMs) {
      await Promise.all(Array.from(children, (child) => child.ask({ what: 'drain-inbound' }, deadlineMs)))
    },
    async drain(deadlineMs) {
      stopping = true
      restart?.cancel()
      ready.resolve({ failed: 'stopped' })
      if (children.size === 0) gone.resolve()
      for (const child of children) finish(child, deadlineMs, false)
      await gone.promise
    },
  }
}
