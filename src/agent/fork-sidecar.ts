import { fork, type ChildProcess } from 'node:child_process'
import type { AgentParts } from './options.ts'

/** What the process of a sidecar is made with; what it does is told to it later. */
export interface ForkParts {
  readonly script: string
  readonly flags: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** A file that it has open as well, as its descriptor 4; absent: none. */
  readonly inherited?: number
  /** Its standard output is ours; absent: it goes to our standard error, where it does not mix with the program's. */
  readonly ownOutput?: boolean
  /** Takes what it writes; absent: that goes to our standard error. */
  readonly output?: AgentParts['output']
}

/** A process that is on its way up while nobody knows yet what it will serve. */
export interface EarlySidecar {
  /** The process, to the first who asks, if it is still there. */
  take(): ChildProcess | undefined
  /** Ends it if nobody took it. */
  close(): void
}

/** What a sidecar needs of the environment; the program's own variables and secrets are none of its business. */
const passedOn = ['PATH', 'HOME', 'TZ', 'LANG', 'TMPDIR', 'NODE_V8_COVERAGE']

/**
 * How far the space for young objects may grow, MB, three times over: with V8's own 32 a sidecar under load holds up to 50 MB more. With 4
 * and less the collector runs so often that it costs 15 % of the CPU time.
 */
const heapFlag = '--max-semi-space-size=8'

/** Threads for the collector and the compiler: one does what is to be done, and each of Node's usual four costs a megabyte. */
const threadsFlag = '--v8-pool-size=1'

/** A process that waits for its first message. */
export function forkSidecar({ script, flags, env, inherited, ownOutput, output }: ForkParts): ChildProcess {
  return fork(script, [], {
    execArgv: [heapFlag, threadsFlag, ...flags],
    stdio: [
      'ignore',
      ...(output === undefined ? ([ownOutput === true ? 1 : 2, 2] as const) : (['pipe', 'pipe'] as const)),
      'ipc',
      ...(inherited === undefined ? [] : [inherited]),
    ],
    // A session of its own: Ctrl-C at the terminal must not end it before the program's last calls are answered.
    detached: true,
    env: Object.fromEntries(passedOn.map((name) => [name, env[name]])),
  })
}

/** Its start, about half of what `weft run` takes, goes on beside the rest: finding a way to capture calls, joining the mesh. */
export function forkEarly(parts: ForkParts): EarlySidecar {
  let child: ChildProcess | undefined = forkSidecar(parts)
  // Then the one that is started in its place tells why it does not come up either.
  child.once('error', () => (child = undefined))
  child.once('exit', () => (child = undefined))
  return {
    take() {
      const taken = child
      child = undefined
      return taken
    },
    close: () => void child?.kill('SIGKILL'),
  }
}
