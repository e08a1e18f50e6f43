import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { refused, type Refused } from './options.ts'

/** The program that the sidecar stands beside. */
export interface Program {
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

/** Starts it with our own input and output. It stays in our process group, so that a terminal treats both as one job. */
export function startProgram(
  [command, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
): Program {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...env } })
  const ended = new Promise<number>((resolve) => {
    // The file may have gone since it was looked for; 127 is what shells say then.
    child.once('error', () => resolve(127))
    child.once('exit', (status, signal) => resolve(status ?? 128 + os.constants.signals[signal ?? 'SIGKILL']))
  })
  return { ended, signal: (name) => void child.kill(name) }
}
