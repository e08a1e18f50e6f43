import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import fs from 'node:fs'
import type { TestContext } from 'node:test'
import { requires } from './requires.ts'
import type { Finished, World } from './world.ts'

const nobody = 65_534

/** Who runs `weft`: whoever runs the tests, or an ordinary user. */
export interface Who {
  readonly title: string
  readonly prefix: readonly string[]
  readonly uid: number
}
/** Root, as a rule. */
export const ourselves: Who = { title: 'as the one who runs the tests', prefix: [], uid: process.getuid?.() ?? 0 }
/** A user without rights; only root can be another. */
export const ordinary: Who = {
  title: 'as an ordinary user',
  prefix: ['setpriv', '--reuid', String(nobody), '--regid', String(nobody), '--clear-groups', '--'],
  uid: nobody,
}

/** Skips aloud where this system forbids what capture needs; a missing tool is a failure with CI=true. */
export function canCapture(t: TestContext, { prefix, uid }: Who): boolean {
  if (
    !requires(
      t,
      'linux',
      'curl',
      'python3',
      'unshare',
      'setpriv',
      'nft',
      'ip',
      ...(uid === nobody ? ['root' as const] : []),
    )
  )
    return false
  const flags = uid === 0 ? ['--net'] : ['--user', '--map-current-user', '--keep-caps', '--net']
  for (const command of [
    [process.execPath, '-e', `fs.readFileSync(${JSON.stringify(import.meta.filename)})`],
    ['unshare', ...flags, '--', 'true'],
  ]) {
    const [file = '', ...args] = [...prefix, ...command]
    const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' })
    if (status === 0) continue
    t.skip(`this system does not let user ${uid} do it: ${command[0]}: ${stderr.trim().split('\n')[0]}`)
    return false
  }
  return true
}

/** For `weft run`. */
export const captured = ['--capture', 'namespace'] as const

/** A program to its end, with its sidecar, in a namespace. */
export const inside = (world: World, { prefix }: Who, ...command: string[]): Promise<Finished> =>
  world.weft(['run', '--service', 'client', ...captured, '--', ...command], { prefix })

/** A machine with an address of its own, besides loopback. */
export function machine(t: TestContext, address: string): readonly string[] {
  const name = `weft${randomInt(0x10000).toString(16)}c`
  const ip = (...args: readonly string[]): void => {
    const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
    const { status, stderr } = spawnSync('ip', args, { env, encoding: 'utf8' })
    assert.equal(status, 0, `ip ${args.join(' ')}: ${stderr}`)
  }
  t.after(() => spawnSync('ip', ['netns', 'delete', name]))
  ip('netns', 'add', name)
  ip('-n', name, 'link', 'set', 'lo', 'up')
  ip('-n', name, 'address', 'add', `${address}/32`, 'dev', 'lo')
  return ['ip', 'netns', 'exec', name]
}

/** Sidecars of the agent with this process id; beside them it has the helper as a child. */
export const sidecarsOf = (agent: number): readonly number[] =>
  fs
    .readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter((child) => child !== '' && fs.readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('sidecar.js'))
    .map(Number)

/** A command on that machine, or as that user. */
export const on = (prefix: readonly string[], ...command: string[]): [string, ...string[]] => {
  const [first = '', ...rest] = [...prefix, ...command]
  return [first, ...rest]
}
