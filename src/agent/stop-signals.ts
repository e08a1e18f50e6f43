import fs from 'node:fs'
import os from 'node:os'
import type { AgentParts } from './options.ts'

/** The person, or whoever started us, wants an end, or (SIGHUP) a new sidecar. */
export interface StopSignals {
  /** The first signal, as an exit status (128 + n). */
  readonly asked: Promise<number>
  /** The second one: they will not wait. */
  readonly again: Promise<'again'>
  readonly hurried: boolean
  /** Calls `pass` with the signals so far that still matter (the first), and with each one from now on. */
  passTo(pass: (signal: NodeJS.Signals) => void): void
  /** Calls `upgrade` at each SIGHUP from now on, unless our terminal has gone: then it is an end like any other. */
  onUpgrade(upgrade: () => void): void
  close(): void
}

const heard = ['SIGTERM', 'SIGINT'] as const

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
  let upgrade = (): void => {}
  const hadTerminal = hasTerminal()
  const hangUp = (): void => (hadTerminal && !hasTerminal() ? take('SIGHUP') : upgrade())
  signals.on('SIGHUP', hangUp)
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
    onUpgrade(next) {
      upgrade = next
    },
    close() {
      signals.off('SIGHUP', hangUp)
      for (const signal of heard) signals.off(signal, take)
    },
  }
}

/** Whether a terminal controls this process: after it was hung up it opens no more. Source: tty(4). */
function hasTerminal(): boolean {
  try {
    fs.closeSync(fs.openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
