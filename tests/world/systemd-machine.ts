import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { runToEnd, startChild, type Child } from './child.ts'
import { until } from './until.ts'

const root = path.dirname(path.dirname(import.meta.dirname))
const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

/** A machine of its own, with a real systemd as process 1, on which Weft lies in /opt/weft as an installed checkout. */
export interface SystemdMachine {
  /** Put before a command line: it runs there, as root. */
  readonly prefix: readonly string[]
  /** A shell script, in /opt/weft; what it printed. Fails with the journal when the script does. */
  sh(script: string): Promise<string>
  /** A file there that all may read, and run. */
  write(file: string, text: string): Promise<void>
}

/**
 * Boots such a machine (half a second) in namespaces of this one: its root is an overlay over this root, kept in memory, so that users,
 * units and files that are made there are never here. Nothing but an empty cgroup is made outside, and removed. Needs root. Undefined
 * where namespaces, mounts or cgroups are forbidden: then the test has been skipped, aloud.
 */
export async function bootMachine(t: TestContext): Promise<SystemdMachine | undefined> {
  const cgroup = makeCgroup()
  if (cgroup === undefined) return skipped(t, 'no cgroup of version 2 can be made')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-machine-'))
  const namespaces = '--pid --fork --kill-child --mount --propagation private --cgroup --uts --ipc --net --'.split(' ')
  const inside = [path.join(import.meta.dirname, 'systemd-machine.sh'), folder, root, fs.realpathSync(process.execPath)]
  const child = startChild(
    'systemd',
    // Whatever ends the test ends the machine.
    [
      'sh',
      '-c',
      `echo $$ >"$0/cgroup.procs" && exec setpriv --pdeathsig KILL unshare "$@"`,
      cgroup,
      ...namespaces,
      'sh',
      ...inside,
    ],
    { env, cwd: '/' },
  )
  const remove = (): void => {
    fs.rmdirSync(folder)
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (let left = 200; !removeCgroup(cgroup) && left > 0; left--) Atomics.wait(pause, 0, 0, 10)
  }
  // When the test file is ended before its time; what it started has been killed by child.ts then.
  const removeAtExit = (): void => {
    // A runner that is ended says so to its files more than once.
    process.on('SIGTERM', () => {})
    remove()
  }
  process.once('exit', removeAtExit)
  t.after(async () => {
    child.killAll()
    await child.ended
    process.off('exit', removeAtExit)
    remove()
    assert.ok(!fs.existsSync(cgroup), 'the machine is gone')
  })
  await until('it boots', () => child.out.includes('booting') || !child.isRunning)
  if (!child.isRunning) return skipped(t, child.err)
  const machine = machineOf(child)
  try {
    await until('systemd has started', async () => (await machine.sh('systemctl is-active basic.target')) !== '')
  } catch (error) {
    // One that never got so far as to be asked has found something missing; any other must come up.
    if (child.isRunning && (await machine.sh('systemctl is-system-running').catch(() => '')) !== '') throw error
    return skipped(t, `systemd does not start\n${child.err}`)
  }
  return machine
}

function machineOf(child: Child): SystemdMachine {
  const init = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
  const prefix = ['nsenter', '--target', init, '--all', '--'] as const
  const there = (command: readonly string[], input?: string): ReturnType<typeof runToEnd> =>
    runToEnd([...prefix, ...command], { env, cwd: '/', input })
  const journal = async (): Promise<string> => (await there(['journalctl', '--no-pager', '-n', '60'])).out
  return {
    prefix,
    async sh(script) {
      const { status, out, err } = await there(['sh', '-euc', `cd /opt/weft\n${script}`])
      if (status !== 0) assert.fail(`${script}\n→ status ${status}\n${out}${err}\n${await journal()}`)
      return out
    },
    async write(file, text) {
      const { status, err } = await there(['sh', '-c', 'cat >"$0" && chmod 755 "$0"', file], text)
      assert.equal(status, 0, err)
    },
  }
}

/** Below our own; where it is, undefined when none can be. */
function makeCgroup(): string | undefined {
  const mounted = /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(fs.readFileSync('/proc/self/mountinfo', 'utf8'))
  const ours = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))
  if (mounted === null || ours === null) return undefined
  const [, mountedFrom = '/', mountPoint = ''] = mounted
  const cgroup = path.join(mountPoint, path.relative(mountedFrom, ours[1] ?? '/'), `weft-${randomInt(2 ** 32)}`)
  try {
    fs.mkdirSync(cgroup)
  } catch {
    return undefined
  }
  return cgroup
}

/** With those that systemd has made below; false while there is a process in one. */
function removeCgroup(cgroup: string): boolean {
  if (!fs.existsSync(cgroup)) return true
  const below = fs.readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of below) removeCgroup(path.join(cgroup, name))
  try {
    fs.rmdirSync(cgroup)
    return true
  } catch {
    return false
  }
}

/** The last line of what was said is the reason. */
function skipped(t: TestContext, said: string): undefined {
  const why = said.trim().split('\n').at(-1)
  t.skip(`this system does not let a systemd run in namespaces (run the tests as root, outside of containers): ${why}`)
  return undefined
}
