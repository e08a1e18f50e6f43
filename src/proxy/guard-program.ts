import fs from 'node:fs'
import type { Clock } from '../base/clock.ts'

/** The program must not go on without a mesh when its agent was killed: nobody else would end it then. */
export interface ProgramGuard {
  /** The program's process from now on; undefined: none. */
  is(pid: number | undefined): void
  /** The agent is gone: SIGTERM, and SIGKILL to a program that has not ended after 5 s. */
  end(): void
  /** Resolves at once unless a program is being ended, else when it is gone. */
  readonly ended: Promise<void>
}

const patienceMs = 5000
const lookEveryMs = 50

/** Guards nobody at first. */
export function guardProgram(clock: Clock): ProgramGuard {
  let program: { readonly pid: number; readonly birth: string } | undefined
  let ended = Promise.resolve()

  const isThere = ({ pid, birth }: { pid: number; birth: string }): boolean => send(pid, 0) && birthOf(pid) === birth
  const finish = async (one: { pid: number; birth: string }): Promise<void> => {
    const lastMs = clock.nowMs() + patienceMs
    if (isThere(one)) send(one.pid, 'SIGTERM')
    while (isThere(one)) {
      if (clock.nowMs() > lastMs) send(one.pid, 'SIGKILL')
      await clock.sleep(lookEveryMs)
    }
  }
  return {
    is(pid) {
      program = pid === undefined ? undefined : { pid, birth: birthOf(pid) }
    },
    end() {
      if (program !== undefined) ended = finish(program)
      program = undefined
    },
    get ended() {
      return ended
    },
  }
}

/** False: there is no such process, or it is not ours. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/**
 * When the process was started, in ticks: a number that is used again has another one. "" where there is no /proc, and for a process that
 * has ended and that nobody has waited for. Source: proc_pid_stat(5), fields 3 and 22.
 */
function birthOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  } catch {
    return ''
  }
}
