import type { Socket } from 'node:net'
import type { Random } from '../../base/random.ts'
import type { Cluster } from '../config.ts'

/** How much longer a connection may be used. */
export interface Lifetime {
  /** Calls that it may still take; Infinity: any number. */
  callsLeft: number
  /** From then on it takes none, by the monotonic clock. */
  readonly untilMs: number
}

/** As the cluster has it at the time of opening; a random part of the jitter comes on top of the age. */
export function lifetimeOf({ connections }: Cluster, nowMs: number, random: Random): Lifetime {
  const { maxCalls = Infinity, maxAgeMs, ageJitterPercent = 0 } = connections ?? {}
  const ageMs = maxAgeMs === undefined ? Infinity : maxAgeMs * (1 + random.below(ageJitterPercent) / 100)
  return { callsLeft: maxCalls, untilMs: nowMs + ageMs }
}

/** It has had its calls or its time. */
export const isSpent = ({ callsLeft, untilMs }: Lifetime, nowMs: number): boolean => callsLeft <= 0 || nowMs >= untilMs

/** Has the kernel ask a silent peer whether it is there, where the cluster wants that. */
export function keepAlive(socket: Socket, { connections }: Cluster): void {
  const rules = connections?.keepAlive
  if (rules === undefined) return
  const { idleMs: initialDelay, intervalMs: interval, probes: count } = rules
  socket.setKeepAlive(true, initialDelay, interval, count)
}
