import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { refused, type AgentParts, type Refused } from './options.ts'

/** The program that the sidecar stands beside. */
export interface Program {
  /** Its process here; undefined: it has none, or its parent is somebody else, who ends it when the agent is gone. */
  readonly pid: number | undefined
  /** Its exit status, or 128 + n after signal n, as shells say it. */
  readonly ended: Promise<number>
  signal(name: NodeJS.Signals): void
}

/** Whether the command can be started at all, asked before anything is registered. */
export function findCommand(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly file: string } | Refused {
  const places = command.includes('/')
    ? [command]
    : (env['PATH'] ?? '').split(path.delimiter).map((dir) => path.join(dir || '.', command))
  const file = places.find(isExecutable)
  if (file !== undefined) return { file }
  const there = places.some((place) => fs.existsSync(place))
  return refused(there ? `${command} cannot be executed` : `command not found: ${command}`)
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

const lastWordsMs = 300

/**
 * Starts it with our own input and output, unless `output` takes it. It stays in our process group then, so that a terminal treats both as one job. Where util-linux is
 * there the kernel sends it SIGTERM when we are gone without a word (PR_SET_PDEATHSIG); the sidecar sees to the rest.
 */
export function startProgram(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
  { output, clock }: Pick<AgentParts, 'output' | 'clock'>,
): Program {
  const [file, ...args] = [...dyingWithUs('TERM'), ...command] as const
  const child = spawn(file ?? command[0], args, {
    stdio: output === undefined ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    detached: output !== undefined,
    env: { ...env },
  })
  child.stdout?.on('data', (chunk: Buffer) => output?.('stdout', chunk))
  child.stderr?.on('data', (chunk: Buffer) => output?.('stderr', chunk))
  const ended = new Promise<number>((resolve) => {
    // The file may have gone since it was looked for; 127 is what shells say then.
    child.once('error', () => resolve(127))
    child.once('exit', (status, signal) => {
      const ended = status ?? 128 + os.constants.signals[signal ?? 'SIGKILL']
      if (output === undefined) return resolve(ended)
      // Its last words come after its end; a child that it leaves behind may hold the other side for ever.
      const late = clock.after(lastWordsMs, () => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      })
      child.once('close', () => {
        late.cancel()
        resolve(ended)
      })
    })
  })
  // As a job of its own it hears signals as one at a terminal would: with all that it has started.
  const signal = (name: NodeJS.Signals): void => {
    if (output === undefined || child.pid === undefined) return void child.kill(name)
    try {
      process.kill(-child.pid, name)
    } catch {
      // It has ended by itself.
    }
  }
  return { pid: child.pid, ended, signal }
}

/** A command to put before another one, that gets the signal when we are gone. Found by our own path; BusyBox has one of that name which cannot do this. */
export function dyingWithUs(signal: 'TERM' | 'KILL'): readonly string[] {
  const setpriv = process.platform === 'linux' ? findCommand('setpriv', process.env) : undefined
  if (setpriv === undefined || 'refused' in setpriv || /busybox/.test(fs.realpathSync(setpriv.file))) return []
  return [setpriv.file, '--pdeathsig', signal, '--']
}
