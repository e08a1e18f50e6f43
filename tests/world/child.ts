import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { exitBySignal } from './exit-by-signal.ts'
import { until } from './until.ts'

/** A process that a test started, with all it has said. */
export interface Child {
  readonly name: string
  readonly pid: number
  /** Standard output and standard error so far. */
  readonly out: string
  readonly err: string
  /** Its status, or 128 + n after signal n. */
  readonly ended: Promise<number>
  readonly isRunning: boolean
  /** Fails when the process ends first. */
  said(form: RegExp, options?: { withinMs?: number }): Promise<RegExpExecArray>
  signal(name: NodeJS.Signals): void
  /** Every process that it started too, at once and without a word. */
  killAll(): void
}

const running = new Set<ChildProcess>()
// However the test file ends, nothing that it started outlives it.
process.on('exit', () => {
  for (const child of running) killGroup(child)
})
exitBySignal()

/** Starts `command` as the leader of a process group of its own. */
export function startChild(
  name: string,
  command: readonly [string, ...string[]],
  { env, cwd }: { env: Readonly<Record<string, string>>; cwd: string },
): Child {
  const [file, ...args] = command
  const child = spawn(file, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  running.add(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text))
  let isRunning = true
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      err += `${error.message}\n`
      isRunning = false
      resolve(127)
    })
    child.once('close', () => running.delete(child))
    child.once('exit', (status, signal) => {
      isRunning = false
      resolve(status ?? 128 + (signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : 2))
    })
  })
  return {
    name,
    pid: child.pid ?? 0,
    get out() {
      return out
    },
    get err() {
      return err
    },
    get isRunning() {
      return isRunning
    },
    ended,
    said: (form, options) =>
      until(
        `${name} says ${form}`,
        () => {
          const match = form.exec(out) ?? form.exec(err)
          if (match === null && !isRunning) throw new Error(`it has ended; it said:\n${out}${err}`)
          return match ?? undefined
        },
        options,
      ),
    signal: (signal) => void child.kill(signal),
    killAll: () => killGroup(child),
  }
}

function killGroup(child: ChildProcess): void {
  // One that leads no group, or does not yet.
  child.kill('SIGKILL')
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The whole group has gone.
  }
}

/** Runs to its end. Standard input is `input`, else empty. */
export async function runToEnd(
  command: readonly [string, ...string[]],
  {
    env,
    cwd,
    input,
    withinMs = 30_000,
  }: { env: Readonly<Record<string, string>>; cwd: string; input?: string | undefined; withinMs?: number },
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  const [file, ...args] = command
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: withinMs,
    killSignal: 'SIGKILL',
  })
  running.add(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text))
  child.stdin.on('error', () => {})
  child.stdin.end(input ?? '')
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 137))
  })
  running.delete(child)
  return { status, out, err }
}

/**
 * Processes whose environment carries NAME=VALUE, with their command lines: children that escaped. A value that ends in `/` stands for
 * all that begin with it. Linux only; elsewhere none.
 */
export function processesWith(
  name: string,
  value: string,
): readonly { readonly pid: number; readonly command: string }[] {
  if (process.platform !== 'linux') return []
  const wanted = `${name}=${value}`
  return fs
    .readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const environ = fs.readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0')
        if (!environ.some((one) => (value.endsWith('/') ? one.startsWith(wanted) : one === wanted))) return []
        const command = fs.readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
        // A zombie has no command line left: it has ended.
        return command === '' ? [] : [{ pid: Number(entry), command }]
      } catch {
        return []
      }
    })
}
