import { fork, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { FromSidecar, IdentityMaterial, ToSidecar } from '../proxy/sidecar-messages.ts'
import type { HeldSocket } from './sockets.ts'

type Start = Extract<ToSidecar, { kind: 'start' }>
export type Question = Extract<ToSidecar, { kind: 'ask' }>['what']
export type SidecarAnswer = { readonly json: unknown } | { readonly failed: string }

/** The sidecar of one workload, kept running. */
export interface Sidecar {
  /** Whether the first one came up, or why it cannot. */
  readonly ready: Promise<{ readonly up: true } | { readonly failed: string }>
  /** A renewed certificate; new connections use it. */
  setIdentity(identity: IdentityMaterial): void
  /** The process that it is to end when we are gone; undefined: none now. */
  setProgram(pid: number | undefined): void
  ask(question: { readonly what: Question; readonly detail?: unknown }, timeoutMs: number): Promise<SidecarAnswer>
  /** Lets calls in flight finish for at most `deadlineMs`, then ends it; resolves when it is gone. */
  drain(deadlineMs: number): Promise<void>
}

const firstRestartMs = 50
const longestRestartMs = 5000
/** One that ran this long did not crash because of how it was started. */
const stableMs = 30_000
const killAfterMs = 1000

/**
 * How far the space for young objects may grow, MB, three times over: under load with V8's own 32 a sidecar holds 175 to 200 MB
 * resident, with this one 118, for about 4 % more CPU per request. With 4 and less the collector runs so often that it costs 15 %.
 */
const heapFlag = '--max-semi-space-size=8'

/** The sidecar of this build: beside the bundle, or the source when the sources run. */
export function ownSidecarScript(): string {
  const built = fileURLToPath(new URL('./sidecar.js', import.meta.url))
  return fs.existsSync(built) ? built : fileURLToPath(new URL('../proxy/sidecar.ts', import.meta.url))
}

/** What a sidecar needs of the environment; the program's own variables and secrets are none of its business. */
const passedOn = ['PATH', 'HOME', 'TZ', 'LANG', 'TMPDIR', 'NODE_V8_COVERAGE']

/**
 * Starts the sidecar and starts it again when it ends without being told to: with the same sockets (so no connection is refused
 * meanwhile), after a backoff. `start` is asked each time, so that a new one gets the newest certificate.
 */
export function superviseSidecar(parts: {
  readonly script: string
  readonly flags: readonly string[]
  readonly sockets: readonly HeldSocket[]
  readonly start: () => Start
  /** Opens a connection to the program where only somebody inside of its namespace can. */
  readonly connectInside?: ((port: number) => Promise<{ handle: unknown } | { error: string }>) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}): Sidecar {
  const { clock, random, log } = parts
  const ready = Promise.withResolvers<{ up: true } | { failed: string }>()
  const gone = Promise.withResolvers<void>()
  const questions = new Map<number, { settle: (answer: SidecarAnswer) => void; timer: Timer }>()
  let nextId = 1
  let child: ChildProcess | undefined
  let wasReady = false
  let stopping = false
  let crashes = 0
  let restart: Timer | undefined
  let lastWords: string | undefined
  let program: number | undefined

  const send = (message: ToSidecar): boolean => child?.connected === true && child.send(message, () => {})
  const settle = (id: number, answer: SidecarAnswer): void => {
    const question = questions.get(id)
    questions.delete(id)
    question?.timer.cancel()
    question?.settle(answer)
  }
  const connect = async (asker: ChildProcess, id: number, port: number): Promise<void> => {
    const opened = (await parts.connectInside?.(port)) ?? { error: 'ECONNREFUSED' }
    const answer: ToSidecar = { kind: 'connected', id, ...('error' in opened ? opened : {}) }
    const handle = 'handle' in opened ? (opened.handle as { close(): void } & Socket) : undefined
    // A handle goes as it is; the types know only sockets, which would be read here. Our own copy is closed either way.
    const done = (): void => handle?.close()
    if (asker.connected) asker.send(answer, handle, {}, done)
    else done()
  }
  const heard = (message: FromSidecar, from: ChildProcess): void => {
    if (message.kind === 'connect') return void connect(from, message.id, message.port)
    if (message.kind === 'answer') return settle(message.id, { json: message.json })
    if (message.kind === 'failed') {
      lastWords = message.sentence
      return
    }
    wasReady = true
    ready.resolve({ up: true })
  }
  const launch = (): void => {
    const startedMs = clock.nowMs()
    // A session of its own: Ctrl-C at the terminal must not end it before the program's last calls are answered.
    const started = fork(parts.script, [], {
      execArgv: [heapFlag, ...parts.flags],
      stdio: ['ignore', 2, 2, 'ipc'],
      detached: true,
      env: Object.fromEntries(passedOn.map((name) => [name, parts.env[name]])),
    })
    child = started
    started.on('message', (message) => heard(message as FromSidecar, started))
    let over = false
    const ended = (how: string): void => {
      if (over) return
      over = true
      for (const id of Array.from(questions.keys())) settle(id, { failed: 'the sidecar ended' })
      if (clock.nowMs() - startedMs > stableMs) crashes = 0
      afterEnd(how)
    }
    started.on('error', (error) => ended(error.message))
    started.once('exit', (status, signal) => ended(signal ?? `status ${status}`))
    for (const socket of parts.sockets) socket.lend(started)
    send(parts.start())
    send({ kind: 'program', pid: program })
  }
  const afterEnd = (how: string): void => {
    child = undefined
    if (stopping) return gone.resolve()
    if (!wasReady && lastWords !== undefined) {
      stopping = true
      ready.resolve({ failed: lastWords })
      return gone.resolve()
    }
    crashes++
    const delayMs =
      Math.min(longestRestartMs, firstRestartMs * 2 ** Math.min(crashes - 1, 10)) * (0.5 + random.below(0.5))
    log.warn('the sidecar ended and is started again', { how, said: lastWords, afterMs: Math.round(delayMs) })
    lastWords = undefined
    restart = clock.after(delayMs, launch)
  }
  launch()
  return {
    ready: ready.promise,
    setProgram(pid) {
      program = pid
      send({ kind: 'program', pid })
    },
    setIdentity: (identity) => void send({ kind: 'identity', identity }),
    ask: (question, timeoutMs) =>
      new Promise((resolve) => {
        const id = nextId++
        const timer = clock.after(timeoutMs, () =>
          settle(id, { failed: `the sidecar did not answer within ${timeoutMs} ms` }),
        )
        questions.set(id, { settle: resolve, timer })
        if (!send({ kind: 'ask', id, ...question })) settle(id, { failed: 'the sidecar is not running' })
      }),
    async drain(deadlineMs) {
      const first = !stopping
      stopping = true
      restart?.cancel()
      ready.resolve({ failed: 'stopped' })
      if (child === undefined) return gone.resolve()
      const running = child
      if (first) send({ kind: 'drain', deadlineMs })
      const late = clock.after(deadlineMs + killAfterMs, () => void running.kill('SIGKILL'))
      await gone.promise
      late.cancel()
    },
  }
}
