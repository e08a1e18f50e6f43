import type { ChildProcess } from 'node:child_process'
import type { Clock, Timer } from '../base/clock.ts'
import type { FromSidecar, ToSidecar, WorkerPlace } from '../proxy/sidecar-messages.ts'
import { forkSidecar, type EarlySidecar, type ForkParts } from './fork-sidecar.ts'
import type { DeskSeat } from './socket-desk.ts'
import { passHandle, type HeldSocket } from './sockets.ts'

type Ask = Extract<ToSidecar, { kind: 'ask' }>
export type Question = Ask['what']
export type SidecarAnswer = { readonly json: unknown } | { readonly failed: string }

/** One sidecar process. */
export interface SidecarChild {
  readonly pid: number | undefined
  /** Undefined: it is alone. */
  readonly place: WorkerPlace | undefined
  /** False when it is gone: nothing was sent. */
  send(message: ToSidecar): boolean
  lend(sockets: readonly HeldSocket[]): void
  ask(question: Pick<Ask, 'what' | 'detail'>, timeoutMs: number): Promise<SidecarAnswer>
  /** It has said this; never, if it does not. */
  readonly warm: Promise<void>
  readonly ready: Promise<void>
  /** How it ended: a signal, a status, or why it could not be started. */
  readonly ended: Promise<string>
  /** What it wanted the person at the terminal to know. */
  readonly lastWords: string | undefined
  kill(): void
}

/** One process among several that are one proxy. */
export interface Colleague {
  readonly place: WorkerPlace
  hear(message: TeamMessage, handle: unknown): void
  left(): void
}
/** How it is spoken to. */
export interface ColleagueChannel {
  send(message: ToSidecar): boolean
  /** The handle is not ours any more; false when nothing was sent. */
  pass(message: ToSidecar, handle: unknown): boolean
}
/** What only the others of a team understand. */
export type TeamMessage = Extract<FromSidecar, { kind: 'subscribe' | 'received' | 'trust' | 'gather' | 'give' }>

/** What a sidecar process is started with. */
export interface SidecarChildParts extends ForkParts {
  /** One that was forked early, for the first that begins. */
  readonly early?: EarlySidecar | undefined
  /** Opens a connection to the program where only somebody inside of its namespace can. */
  readonly connectInside?: ((port: number) => Promise<{ handle: unknown } | { error: string }>) | undefined
  /** Hears whether the program may send datagrams that are not DNS. */
  readonly allowDatagrams?: ((allow: boolean) => void) | undefined
  /** Where it asks for further sockets; absent: it has all of them. */
  readonly desk?: DeskSeat
  /** A process begins; absent: it is alone. */
  readonly colleague?: (channel: ColleagueChannel) => Colleague
  readonly clock: Clock
}

/** Starts one. `counted` hears what it has counted since another one has taken over. */
export function startSidecarChild(
  parts: SidecarChildParts,
  counted: (figures: Extract<FromSidecar, { kind: 'figures' }>['figures']) => void,
): SidecarChild {
  const { clock } = parts
  const child = parts.early?.take() ?? forkSidecar(parts)
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => parts.output?.('stderr', chunk))
  const warm = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<string>()
  const questions = new Map<number, { settle: (answer: SidecarAnswer) => void; timer: Timer }>()
  let nextId = 1
  let lastWords: string | undefined

  const send = (message: ToSidecar): boolean => child.connected && child.send(message, () => {})
  const colleague = parts.colleague?.({ send, pass: (message, handle) => passHandle(child, message, handle) })
  const settle = (id: number, answer: SidecarAnswer): void => {
    const question = questions.get(id)
    questions.delete(id)
    question?.timer.cancel()
    question?.settle(answer)
  }
  const heard = (message: FromSidecar, handle: unknown): void => {
    switch (message.kind) {
      case 'connect':
        return void connectFor(child, message, parts.connectInside)
      case 'datagrams':
        return parts.allowDatagrams?.(message.allow)
      case 'listen':
        return parts.desk?.want(message.address, (socket) => socket.lend(child))
      case 'release':
        return parts.desk?.release(message.address)
      case 'answer':
        return settle(message.id, { json: message.json })
      case 'failed':
        lastWords = message.sentence
        return
      case 'figures':
        return counted(message.figures)
      case 'warm':
        return warm.resolve()
      case 'ready':
        return ready.resolve()
      default:
        return colleague?.hear(message, handle)
    }
  }
  child.on('message', (message, handle) => heard(message as FromSidecar, handle))
  let isOver = false
  const over = (how: string): void => {
    if (!isOver) colleague?.left()
    isOver = true
    for (const id of Array.from(questions.keys())) settle(id, { failed: 'the sidecar ended' })
    ended.resolve(how)
  }
  child.on('error', (error) => over(error.message))
  child.once('exit', (status, signal) => over(signal ?? `status ${status}`))
  return {
    pid: child.pid,
    place: colleague?.place,
    send,
    lend(sockets) {
      for (const socket of sockets) socket.lend(child)
    },
    ask: (question, timeoutMs) =>
      new Promise((resolve) => {
        const id = nextId++
        const timer = clock.after(timeoutMs, () =>
          settle(id, { failed: `the sidecar did not answer within ${timeoutMs} ms` }),
        )
        questions.set(id, { settle: resolve, timer })
        if (!send({ kind: 'ask', id, ...question })) settle(id, { failed: 'the sidecar is not running' })
      }),
    warm: warm.promise,
    ready: ready.promise,
    ended: ended.promise,
    get lastWords() {
      return lastWords
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

async function connectFor(
  asker: ChildProcess,
  { id, port }: Extract<FromSidecar, { kind: 'connect' }>,
  connectInside: SidecarChildParts['connectInside'],
): Promise<void> {
  const opened = (await connectInside?.(port)) ?? { error: 'ECONNREFUSED' }
  const answer: ToSidecar = { kind: 'connected', id, ...('error' in opened ? opened : {}) }
  const handle = 'handle' in opened ? opened.handle : undefined
  if (!passHandle(asker, answer, handle)) (handle as { close(): void } | undefined)?.close()
}
