import { fork, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../base/clock.ts'
import type { FromSidecar, ToSidecar } from '../proxy/sidecar-messages.ts'
import type { AgentParts } from './options.ts'
import type { SocketDesk } from './socket-desk.ts'
import type { HeldSocket } from './sockets.ts'

type Ask = Extract<ToSidecar, { kind: 'ask' }>
export type Question = Ask['what']
export type SidecarAnswer = { readonly json: unknown } | { readonly failed: string }

/** One sidecar process. */
export interface SidecarChild {
  readonly pid: number | undefined
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

/** What a sidecar process is started with. */
export interface SidecarChildParts {
  readonly script: string
  readonly flags: readonly string[]
  /** Opens a connection to the program where only somebody inside of its namespace can. */
  readonly connectInside?: ((port: number) => Promise<{ handle: unknown } | { error: string }>) | undefined
  /** Hears whether the program may send datagrams that are not DNS. */
  readonly allowDatagrams?: ((allow: boolean) => void) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where it asks for further sockets; absent: it has all of them. */
  readonly desk?: Pick<SocketDesk, 'launched' | 'settled' | 'want' | 'release'>
  /** Takes what it writes; absent: that goes to our standard error. */
  readonly output?: AgentParts['output']
  readonly clock: Clock
}

/** What a sidecar needs of the environment; the program's own variables and secrets are none of its business. */
const passedOn = ['PATH', 'HOME', 'TZ', 'LANG', 'TMPDIR', 'NODE_V8_COVERAGE']

/**
 * How far the space for young objects may grow, MB, three times over: under load with V8's own 32 a sidecar holds 175 to 200 MB
 * resident, with this one 118, for about 4 % more CPU per request. With 4 and less the collector runs so often that it costs 15 %.
 */
const heapFlag = '--max-semi-space-size=8'

/** Starts one. `counted` hears what it has counted since another one has taken over. */
export function startSidecarChild(
  parts: SidecarChildParts,
  counted: (figures: Extract<FromSidecar, { kind: 'figures' }>['figures']) => void,
): SidecarChild {
  const { clock } = parts
  // A session of its own: Ctrl-C at the terminal must not end it before the program's last calls are answered.
  const child = fork(parts.script, [], {
    execArgv: [heapFlag, ...parts.flags],
    stdio: parts.output === undefined ? ['ignore', 2, 2, 'ipc'] : ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: Object.fromEntries(passedOn.map((name) => [name, parts.env[name]])),
  })
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => parts.output?.('stderr', chunk))
  const warm = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<string>()
  const questions = new Map<number, { settle: (answer: SidecarAnswer) => void; timer: Timer }>()
  let nextId = 1
  let lastWords: string | undefined

  const send = (message: ToSidecar): boolean => child.connected && child.send(message, () => {})
  const settle = (id: number, answer: SidecarAnswer): void => {
    const question = questions.get(id)
    questions.delete(id)
    question?.timer.cancel()
    question?.settle(answer)
  }
  const heard = (message: FromSidecar): void => {
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
    }
  }
  child.on('message', (message) => heard(message as FromSidecar))
  const over = (how: string): void => {
    for (const id of Array.from(questions.keys())) settle(id, { failed: 'the sidecar ended' })
    ended.resolve(how)
  }
  child.on('error', (error) => over(error.message))
  child.once('exit', (status, signal) => over(signal ?? `status ${status}`))
  return {
    pid: child.pid,
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
  const handle = 'handle' in opened ? (opened.handle as { close(): void } & Socket) : undefined
  // A handle goes as it is; the types know only sockets, which would be read here. Our own copy is closed either way.
  const done = (): void => handle?.close()
  if (asker.connected) asker.send(answer, handle, {}, done)
  else done()
}
