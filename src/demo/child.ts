import { spawn, type ChildProcess } from 'node:child_process'
import type { Clock } from '../base/clock.ts'
import { descendants } from './process-table.ts'

/** A process that the demo started, in a group of its own, so that Ctrl-C reaches it only through us. */
export interface Child {
  readonly pid: number
  readonly ended: Promise<number>
  readonly running: () => boolean
  /** The last lines of both outputs. */
  readonly lastLines: () => readonly string[]
  /** SIGKILL for the process and all that descend from it, at once: a power cut. */
  kill(): void
  /** SIGTERM, and after `graceMs` SIGKILL for the group. Resolves when the process is gone. */
  stop(graceMs: number): Promise<void>
}

const keptLines = 200

/**
 * Starts Node with `args`. The IPC channel tells the child when we are gone, in whatever way that came about: `weft` ends then.
 */
export function startChild(args: readonly string[], env: NodeJS.ProcessEnv, clock: Clock): Child {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      lines.push(
        ...chunk
          .toString()
          .split('\n')
          .filter((line) => line !== ''),
      )
      lines.splice(0, lines.length - keptLines)
    })
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      lines.push(error.message)
      resolve(1)
    })
    child.on('exit', (status) => resolve(status ?? 1))
  })
  const running = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid ?? 0,
    ended,
    running,
    lastLines: () => lines,
    kill: () => cutPower(child.pid),
    async stop(graceMs) {
      if (running()) child.kill('SIGTERM')
      const late = clock.after(graceMs, () => signalGroup(child, 'SIGKILL'))
      await ended
      late.cancel()
      // What the process left behind in its group, if anything.
      signalGroup(child, 'SIGKILL')
    },
  }
}

/** First whoever could start the others again, then what has a group of its own (the sidecar), then the rest. */
function cutPower(pid: number | undefined): void {
  if (pid === undefined) return
  const rest = descendants(pid).toSorted((a, b) => Number(a.group === pid) - Number(b.group === pid))
  for (const one of [pid, ...rest.map((entry) => entry.pid)]) signal(one, 'SIGKILL')
}

function signalGroup({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid !== undefined) signal(-pid, name)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone already.
  }
}

/** Removes `dir` a few seconds after this process ended without having called what this returns: no crash leaves a folder behind. */
export function removeWhenGone(dir: string): () => void {
  const janitor = spawn('/bin/sh', ['-c', 'cat >/dev/null; sleep 4; rm -rf -- "$1"', 'sh', dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  janitor.on('error', () => {})
  janitor.stdin.on('error', () => {})
  janitor.unref()
  return () => signalGroup(janitor, 'SIGKILL')
}
