import fs from 'node:fs'
import v8 from 'node:v8'

/** What this process may use of its machine, and how much of it is in use. */
export interface Machine {
  /** File descriptors that it may have open at once; Infinity: nobody says. */
  readonly descriptors: number
  /** Used memory as a share of what it may use, 0 to 1: of the cgroup's limit, or of the heap's, whichever is nearer. */
  memoryShare(): number
}

/** The process itself, as one of `processes` that are alike and share the memory of the cgroup. Descriptors are read from Linux's /proc; Node has raised the soft limit to the hard one at its start. */
export function thisMachine(processes = 1): Machine {
  // Without a cgroup this is the memory of the machine, or 0, or more than there can be.
  const memoryBytes = process.constrainedMemory()
  return {
    descriptors: descriptorLimit(),
    memoryShare() {
      const { used_heap_size: used, heap_size_limit: limit } = v8.getHeapStatistics()
      const ofMachine = memoryBytes > 0 ? (process.memoryUsage.rss() * processes) / memoryBytes : 0
      return Math.max(ofMachine, used / limit)
    },
  }
}

function descriptorLimit(): number {
  let limits: string
  try {
    limits = fs.readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return Infinity
  }
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? Infinity : Number(soft)
}
