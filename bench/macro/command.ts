import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** The full path of a program, or undefined. Looks where Debian puts servers too. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return fs.existsSync(name) ? name : undefined
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file))
}

/** What a program prints, both streams; "" when it cannot run. */
export function outputOf(command: readonly string[]): string {
  const [file = '', ...args] = command
  const { stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000 })
  return error === undefined ? `${stdout}${stderr}` : ''
}

/** The first match of `form` in what a program prints. */
export const versionOf = (command: readonly string[], form: RegExp): string =>
  form.exec(outputOf(command))?.[1] ?? 'unknown'
