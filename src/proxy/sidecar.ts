import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { settleMemory } from '../base/memory.ts'
import { guardProgram } from './guard-program.ts'
import { createSidecar } from './run-sidecar.ts'
import type { ToSidecar } from './sidecar-messages.ts'

// The data plane process: a child of the agent, which hands it sockets, an identity and the address of the control plane.

/** The agent is gone, and with it whoever would ask for more time. */
const orphanDrainMs = 2_000
const terminatedDrainMs = 5_000

// Whoever reads our output may leave; that is no reason to stop serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const program = guardProgram(systemClock)
const sidecar = createSidecar({
  version: process.env.WEFT_BUILD_VERSION ?? '0.0.0-source',
  tell(message) {
    // Fails when the agent is gone; 'disconnect' tells.
    if (process.connected) process.send?.(message, () => {})
    if (message.kind === 'ready') settleMemory(systemClock)
  },
  pass(message, handle, done) {
    // A handle goes as it is; the types know only sockets.
    if (process.connected) process.send?.(message, handle as never, {}, done)
    else done()
  },
  writeLog: (line) => void process.stderr.write(line),
  writeAccessLog: (line) => void process.stdout.write(line),
  guard: (pid) => program.is(pid),
  exit: (status) => void program.ended.then(() => process.exit(status)),
  clock: systemClock,
  random: systemRandom,
})

/** A bug: the agent starts a new sidecar, on the same sockets. */
const crashed =
  (what: string) =>
  (error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stderr.write(`sidecar: ${what}: ${detail}\n`, () => process.exit(1))
  }
process.on('uncaughtException', crashed('uncaught exception'))
process.on('unhandledRejection', crashed('unhandled rejection'))
process.on('SIGTERM', () => sidecar.drain(terminatedDrainMs))

process.on('message', (message, handle) =>
  // Our own agent, of the same version: what it says has the shape that it should.
  sidecar.hear(message as ToSidecar, handle),
)
process.on('disconnect', () => {
  program.end()
  sidecar.drain(orphanDrainMs)
})

if (!process.connected) {
  process.stderr.write('sidecar: is started by `weft run`, not by hand\n')
  process.exitCode = 2
}
