import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitBySignal } from '../../tests/world/exit-by-signal.ts'

/** A process of the benchmark; ended by its own id. */
export interface Running {
  readonly pid: number
  readonly output: string
  stop(): Promise<void>
}

const started = new Set<number>()
process.on('exit', () => {
  for (const pid of started) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
})
exitBySignal()

/** Starts a command as the leader of its own process group, with nothing on its standard input. */
export function start(
  command: readonly string[],
  { env = {}, cwd }: { env?: Readonly<Record<string, string>>; cwd: string },
): Running {
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd,
    detached: true,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (text: Buffer): void => void (output = `${output}${text.toString()}`.slice(-20_000))
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.on('error', (error) => keep(Buffer.from(error.message)))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const pid = child.pid ?? 0
  started.add(pid)
  void exited.then(() => started.delete(pid))
  return {
    pid,
    get output() {
      return output
    },
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([exited, sleep(10_000, undefined, { ref: false })])
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // The group went by itself.
      }
    },
  }
}

/** Waits until `condition` gives something; fails with what `who` has said. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined> | T | undefined,
  who?: Running,
): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const value = await condition()
    if (value !== undefined) return value
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}\n${who?.output ?? ''}`)
    await sleep(25)
  }
}

/** Whether something listens on this port of loopback. */
export function answers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(undefined))
  })
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Nanoseconds on a core, user and system, of all threads of a process. Source: /proc/PID/task/TID/schedstat, first number. */
export function cpuNs(pid: number): number {
  return fs
    .readdirSync(`/proc/${pid}/task`)
    .map((task) => Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, one) => sum + one, 0)
}

/** Resident memory of a process, MB (10⁶). Source: /proc/PID/status, VmRSS. */
export function residentMb(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kib) * 1024) / 1e6
}

/** Direct children of a process. */
export const childrenOf = (pid: number): readonly number[] =>
  fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((text) => text.trim() !== '')
    .map(Number)
