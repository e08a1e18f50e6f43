import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { FromSidecar } from './sidecar-messages.ts'

/** What the process is made of. */
export interface SidecarParts {
  readonly version: string
  readonly tell: (message: FromSidecar) => void
  /** Sends a handle along; `done`: it is not ours any more. */
  readonly pass: (message: FromSidecar, handle: unknown, done: () => void) => void
  /** Takes a line with its end. */
  readonly writeLog: (line: string) => void
  readonly writeAccessLog: (line: string) => void
  /** Takes note of the program's process, which is to end with the agent. */
  readonly guard: (pid: number | undefined) => void
  /** Ends the process. */
  readonly exit: (status: number) => void
  readonly clock: Clock
  readonly random: Random
}
