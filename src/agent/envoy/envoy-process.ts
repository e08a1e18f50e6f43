import { spawn } from 'node:child_process'
import type { AgentParts } from '../options.ts'
import { dyingWithUs } from '../program.ts'

/** One Envoy. */
export interface EnvoyProcess {
  readonly pid: number | undefined
  /** How it ended: a signal, a status, or why it could not be started. */
  readonly ended: Promise<string>
  /** The last of what it wrote. */
  readonly lastWords: string
  /** Nobody wants to read that its streams break when it is told to end. */
  hush(): void
  kill(): void
}

/** What Envoy needs of the environment; the program's own variables and secrets are none of its business. */
const passedOn = ['PATH', 'HOME', 'LANG', 'TMPDIR']
/** Lines as the agent's own are, in UTC. */
const logFormat = '%Y-%m-%dT%H:%M:%S.%eZ %l envoy/%n: %v'
/** As many as an application's sidecar has in other meshes: with Envoy's own default, one a core, large machines pay for nothing. */
const workers = 2

/** Starts one, with its log on our standard error or where `output` takes it; it does not outlive us. */
export function startEnvoy(
  file: string,
  bootstrap: string,
  { env, output }: Pick<AgentParts, 'env' | 'output'>,
): EnvoyProcess {
  const args = ['--disable-hot-restart', '--concurrency', String(workers), '-l', 'warning', '--log-format', logFormat]
  // Connections are told to go at once; who waits for the last call is the agent.
  const manner = ['--drain-strategy', 'immediate', '--drain-time-s', '1']
  const [command = file, ...rest] = [...dyingWithUs('KILL'), file, '-c', bootstrap, ...args, ...manner]
  // A session of its own: Ctrl-C at the terminal must not end it before the program's last calls are answered.
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...Object.fromEntries(passedOn.map((name) => [name, env[name]])), TZ: 'UTC' },
  })
  let lastWords = ''
  let hushed = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString('utf8')).slice(-2000)
      if (hushed) return
      if (output === undefined) process.stderr.write(chunk)
      else output('stderr', chunk)
    })
  const ended = Promise.withResolvers<string>()
  child.once('error', (error) => ended.resolve(error.message))
  child.once('exit', (status, signal) => ended.resolve(signal ?? `status ${status}`))
  return {
    pid: child.pid,
    ended: ended.promise,
    get lastWords() {
      return lastWords.trim()
    },
    hush: () => void (hushed = true),
    kill: () => void child.kill('SIGKILL'),
  }
}
