import type { Clock, Timer } from '../base/clock.ts'
import { socketFrom } from './listener/handles.ts'
import type { Dialed } from './upstream/connect.ts'

/** Connections to the program, where it lives in a network namespace of its own: somebody inside opens them, and hands them out. */
export interface Inside {
  connect(port: number, timeoutMs: number): Promise<Dialed>
  /** The answer to a question: the handle of an open connection, or why there is none. */
  heard(id: number, handle: unknown, error: string | undefined): void
}

/** `ask` sends the question on. */
export function createInside({ ask, clock }: { ask: (id: number, port: number) => void; clock: Clock }): Inside {
  const waiting = new Map<number, { readonly settle: (dialed: Dialed) => void; readonly timer: Timer }>()
  let nextId = 1
  return {
    connect: (port, timeoutMs) =>
      new Promise((resolve) => {
        const id = nextId++
        const settle = (dialed: Dialed): void => {
          waiting.get(id)?.timer.cancel()
          waiting.delete(id)
          resolve(dialed)
        }
        const timer = clock.after(timeoutMs, () => settle({ failed: 'timeout' }))
        waiting.set(id, { settle, timer })
        ask(id, port)
      }),
    heard(id, handle, error) {
      const socket = socketFrom(handle)
      const one = waiting.get(id)
      // Too late: nobody wants it any more.
      if (one === undefined) return void socket?.destroy()
      one.settle(socket ?? { failed: error ?? 'no connection came along' })
    },
  }
}
