import { spawnSync } from 'node:child_process'
import fs from 'node:fs'

/** One process of this machine. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
}

/** All processes that descend from `pid`, parents before children, `pid` itself left out. Empty where neither /proc nor ps tells. */
export function descendants(pid: number): readonly ProcessEntry[] {
  const all = fs.existsSync('/proc/self/stat') ? fromProc() : fromPs()
  const found: ProcessEntry[] = []
  const open = [pid]
  for (let parent = open.shift(); parent !== undefined; parent = open.shift()) {
    const children = all.filter((one) => one.parent === parent)
    found.push(...children)
    open.push(...children.map((one) => one.pid))
  }
  return found
}

function fromProc(): readonly ProcessEntry[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readStat(name)
      return stat === undefined ? [] : [stat]
    })
}

/** Fields 4 and 5 of /proc/PID/stat, which come after the name in parentheses and the state. Source: proc_pid_stat(5). */
function readStat(pid: string): ProcessEntry | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid: Number(pid), parent: Number(parent), group: Number(group) }
  } catch {
    // It ended while we looked.
    return undefined
  }
}

function fromPs(): readonly ProcessEntry[] {
  const { stdout } = spawnSync('ps', ['-Ao', 'pid=,ppid=,pgid='], { encoding: 'utf8' })
  return (stdout ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, parent, group]) =>
      pid === undefined || parent === undefined || group === undefined ? [] : [{ pid, parent, group }],
    )
}
