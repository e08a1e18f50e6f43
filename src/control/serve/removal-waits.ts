import type { Clock, Timer } from '../../base/clock.ts'
import type { Watchable } from '../../base/watchable.ts'
import type { Model } from '../model/model.ts'

/** Waiting for workloads to disappear from every client. `Client` is a connected proxy. */
export interface RemovalWaits<Client> {
  /** Resolves with nobody once no client may call the workload, or after `deadlineMs` with those that still may. */
  wait(workload: string, deadlineMs: number): Promise<readonly Client[]>
  modelChanged(): void
  connected(client: Client): void
  /** The client acknowledged something, or asked for something. */
  progressed(client: Client): void
  left(client: Client): void
  /** Resolves every wait with what is left. */
  close(): void
}

interface Wait<Client> {
  readonly workload: string
  /** The model itself still offers it. */
  offered: boolean
  readonly pending: Set<Client>
  readonly timer: Timer
  readonly resolve: (laggards: readonly Client[]) => void
}

/** No wait yet. `mayCall` is asked again for a client whenever it progressed. */
export function createRemovalWaits<Client>(parts: {
  readonly clock: Clock
  readonly model: Watchable<Model>
  readonly connected: () => Iterable<Client>
  readonly mayCall: (client: Client, workload: string) => boolean
}): RemovalWaits<Client> {
  const { clock, model, connected, mayCall } = parts
  const waits = new Set<Wait<Client>>()

  const holders = (workload: string): Client[] => Array.from(connected()).filter((one) => mayCall(one, workload))
  const finish = (wait: Wait<Client>): void => {
    waits.delete(wait)
    wait.timer.cancel()
    wait.resolve([...wait.pending])
  }
  const settle = (wait: Wait<Client>): void => {
    if (!wait.offered && wait.pending.size === 0) finish(wait)
  }
  const look = (wait: Wait<Client>, client: Client): void => {
    if (mayCall(client, wait.workload)) wait.pending.add(client)
    else wait.pending.delete(client)
    settle(wait)
  }
  return {
    wait: (workload, deadlineMs) =>
      new Promise((resolve) => {
        const wait: Wait<Client> = {
          workload,
          offered: offers(model.value, workload),
          pending: new Set(holders(workload)),
          timer: clock.after(deadlineMs, () => finish(wait)),
          resolve,
        }
        waits.add(wait)
        settle(wait)
      }),
    modelChanged() {
      for (const wait of Array.from(waits)) {
        wait.offered = offers(model.value, wait.workload)
        settle(wait)
      }
    },
    connected: (client) => Array.from(waits).forEach((wait) => look(wait, client)),
    progressed: (client) => Array.from(waits).forEach((wait) => look(wait, client)),
    left(client) {
      for (const wait of Array.from(waits)) {
        wait.pending.delete(client)
        settle(wait)
      }
    },
    close: () => Array.from(waits).forEach(finish),
  }
}

function offers(model: Model, workload: string): boolean {
  for (const { ports } of model.services.values()) {
    for (const { endpoints } of ports) {
      if (endpoints.some((one) => one.workload === workload && one.health === 'healthy')) return true
    }
  }
  return false
}
