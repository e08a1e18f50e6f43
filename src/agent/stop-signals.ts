import os from 'node:os'
import type { AgentParts } from './options.ts'

/** The person, or whoever started us, wants an end. */
export interface StopSignals {
  /** The first signal, as an exit status (128 + n). */
  readonly asked: Promise<number>
  /** The second one: they will not wait. */
  readonly again: Promise<'again'>
  readonly hurried: boolean
  /** Calls `pass` with the signals so far that still matter (the first), and with each one from now on. */
  passTo(pass: (signal: NodeJS.Signals) => void): void
  close(): void
}

const heard = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Listens from now on. */
export function listenForStop(signals: AgentParts['signals']): StopSignals {
  const asked = Promise.withResolvers<number>()
  const again = Promise.withResolvers<'again'>()
  const came: NodeJS.Signals[] = []
  let pass: ((signal: NodeJS.Signals) => void) | undefined
  const take = (signal: NodeJS.Signals): void => {
    came.push(signal)
    asked.resolve(128 + os.constants.signals[signal])
    if (came.length > 1) again.resolve('again')
    pass?.(signal)
  }
  for (const signal of heard) signals.on(signal, take)
  return {
    asked: asked.promise,
    again: again.promise,
    get hurried() {
      return came.length > 1
    },
    passTo(next) {
      pass = next
      for (const signal of came) next(signal)
    },
    close() {
      for (const signal of heard) signals.off(signal, take)
    },
  }
}
