import v8 from 'node:v8'
import vm from 'node:vm'
import type { Clock } from './clock.ts'
import { releaseCodePages } from './code-pages.ts'

const settledMs = 1_000

/** Milliseconds of few allocations after which V8 looks for memory that it can give back. */
const reducerDelayMs = 60_000

/**
 * What a process that has started and will now serve does with its memory.
 *
 * A second from now it gives back what was needed to start. Objects (descriptors, the first configuration) are garbage then, and V8 would
 * keep their pages for hours: 13 of a sidecar's 88 MB, 200 of a proxy's 320 with 10,000 routes in its file; everything stands still
 * meanwhile: for those 10,000 routes, on a machine with six times the work that it has cores for, 0.5 s. And the code of Node that only a
 * start runs.
 *
 * V8 itself takes 1,000 calls a second for idleness, and every 8 s collects all that there is: 10 to 20 % of what those calls cost. Once a
 * minute is enough.
 */
export function settleMemory(clock: Clock): void {
  v8.setFlagsFromString(`--memory-reducer-delay-ms=${reducerDelayMs}`)
  clock.after(
    settledMs,
    () => {
      collect()
      releaseCodePages()
    },
    { background: true },
  )
}

function collect(): void {
  v8.setFlagsFromString('--expose-gc')
  const collectNow: unknown = vm.runInNewContext('gc')
  if (typeof collectNow === 'function') collectNow({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
