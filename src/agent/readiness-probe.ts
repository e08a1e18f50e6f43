import net from 'node:net'
import type { Clock, Timer } from '../base/clock.ts'

/** Whether the program answers on all of its ports. */
export interface Readiness {
  readonly ready: boolean
  /** Why not, for people. */
  readonly reason: string
}

const untilReadyMs = 100
const afterwardsMs = 1000
const connectTimeoutMs = 1000
/** One miss may be a full backlog; two in a row are an answer. */
const missesAllowed = 1

/**
 * Asks for every port on the program's loopback, as the sidecar will: each 100 ms until all answer, then each second. `changed` hears the first
 * verdict and every change. A program without ports is ready at once.
 */
export function probeReadiness(
  ports: readonly number[],
  parts: {
    readonly clock: Clock
    readonly changed: (readiness: Readiness) => void
    /** Whether somebody accepts connections there; absent: on this machine's loopback. */
    readonly answers?: ((port: number) => Promise<boolean>) | undefined
  },
): { stop(): void } {
  const { clock, changed, answers = (port) => answersOn(port, clock) } = parts
  let last: Readiness | undefined
  let misses = 0
  let timer: Timer | undefined
  let stopped = false

  const tell = (next: Readiness): void => {
    if (last?.ready === next.ready && last.reason === next.reason) return
    last = next
    changed(next)
  }
  const round = async (): Promise<void> => {
    const found = await Promise.all(ports.map(answers))
    if (stopped) return
    const silent = ports.filter((_, index) => !found[index])
    misses = silent.length === 0 ? 0 : misses + 1
    if (silent.length === 0) tell({ ready: true, reason: '' })
    else if (last?.ready !== true || misses > missesAllowed) {
      tell({ ready: false, reason: `nothing answers on port ${silent.join(', ')}` })
    }
    if (ports.length > 0) timer = clock.after(last?.ready ? afterwardsMs : untilReadyMs, () => void round())
  }
  void round()
  return {
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}

/**
 * Whether somebody accepts connections on this port of 127.0.0.1. Leaves politely: a program that greets first would get a reset if
 * its greeting were not read, and some die of it.
 */
export function answersOn(port: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port })
    const late = clock.after(connectTimeoutMs, () => socket.destroy(), { background: true })
    socket.once('connect', () => {
      resolve(true)
      socket.resume().end()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      late.cancel()
      resolve(false)
    })
  })
}
