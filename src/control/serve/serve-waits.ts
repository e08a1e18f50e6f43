import type { Clock, Timer } from '../../base/clock.ts'
import type { Served } from '../api/contract.ts'
import type { Unserved } from './delta-stream.ts'

/** A connected proxy, as far as waiting goes. */
export interface Serving {
  /** `<namespace>/<workload>`. */
  readonly id: string
  readonly stream: {
    unserved(): readonly Unserved[]
    serves(wanted: Unserved): boolean | { readonly refused: string }
  }
}

/** Waiting until every proxy serves what was written. */
export interface ServeWaits<Client extends Serving> {
  /** Resolves when all that `revision` changed is acknowledged or refused; after `deadlineMs` with those that still have to. */
  wait(revision: number, deadlineMs: number): Promise<Served>
  /** Every connected client has been told of this revision of the store. */
  pushed(revision: number): void
  connected(client: Client): void
  /** The client acknowledged or refused something. */
  progressed(client: Client): void
  left(client: Client): void
  /** Ends every wait with what there is. */
  close(): void
}

/** What one proxy has to do still; undefined: it is away, or has just come back and has not said what it holds. */
type Open = readonly Unserved[] | undefined

interface Wait {
  readonly revision: number
  readonly timer: Timer
  readonly resolve: (served: Served) => void
  /** By id; undefined until the revision has been pushed. */
  open: Map<string, Open> | undefined
  readonly served: Set<string>
  readonly refused: Map<string, Served['refused'][number]>
}

/** A proxy that has come back asks for its types one after the other, in one breath. */
const comebackMs = 200

/** `away`: proxies that were connected, and that the mesh still counts on. */
export function createServeWaits<Client extends Serving>(parts: {
  readonly clock: Clock
  readonly revision: () => number
  readonly connected: () => Iterable<Client>
  readonly away: () => Iterable<string>
}): ServeWaits<Client> {
  const { clock, connected, away } = parts
  const waits = new Set<Wait>()

  const finish = (wait: Wait): void => {
    waits.delete(wait)
    wait.timer.cancel()
    const here = new Set(Array.from(connected(), ({ id }) => id))
    const refused = [...wait.refused.values()]
    wait.resolve({
      revision: wait.revision,
      served: [...wait.served].filter((id) => !refused.some(({ proxy }) => proxy === id)).toSorted(),
      refused,
      laggards: Array.from(wait.open ?? [], ([proxy, open]) => ({
        proxy,
        connected: here.has(proxy),
        waitingFor: (open ?? []).map(({ type, name }) => `${type} ${name}`),
      })),
    })
  }
  const settle = (wait: Wait): void => {
    if (wait.open?.size === 0) finish(wait)
  }
  const look = (wait: Wait, { id, stream }: Client): void => {
    const open = wait.open?.get(id)
    if (wait.open === undefined || open === undefined) return
    const left = open.filter((one) => {
      const answer = stream.serves(one)
      if (typeof answer === 'object')
        wait.refused.set(`${id} ${one.type} ${one.name}`, {
          proxy: id,
          type: one.type,
          name: one.name,
          reason: answer.refused,
        })
      return answer === false
    })
    if (left.length > 0) wait.open.set(id, left)
    else {
      wait.open.delete(id)
      wait.served.add(id)
    }
    settle(wait)
  }
  /** Clients with nothing to do are not concerned. */
  const begin = (wait: Wait): void => {
    wait.open = new Map()
    for (const { id, stream } of connected()) {
      const open = stream.unserved()
      if (open.length > 0) wait.open.set(id, open)
    }
    for (const id of away()) if (!wait.open.has(id)) wait.open.set(id, undefined)
    settle(wait)
  }
  return {
    wait: (revision, deadlineMs) =>
      new Promise((resolve) => {
        const wait: Wait = {
          revision,
          timer: clock.after(deadlineMs, () => finish(wait)),
          resolve,
          open: undefined,
          served: new Set(),
          refused: new Map(),
        }
        waits.add(wait)
        if (parts.revision() >= revision) begin(wait)
      }),
    pushed(revision) {
      const gone = new Set(away())
      const here = new Set(Array.from(connected(), ({ id }) => id))
      for (const wait of Array.from(waits)) {
        if (wait.open === undefined) {
          if (revision >= wait.revision) begin(wait)
          continue
        }
        // The mesh does not count on it any more: it has stopped.
        for (const [id, open] of wait.open)
          if (open === undefined && !here.has(id) && !gone.has(id)) wait.open.delete(id)
        settle(wait)
      }
    },
    connected(client) {
      for (const wait of waits) {
        if (wait.open?.has(client.id) !== true) continue
        clock.after(comebackMs, () => {
          if (!waits.has(wait) || !Array.from(connected()).includes(client)) return
          wait.open?.set(client.id, client.stream.unserved())
          look(wait, client)
        })
      }
    },
    progressed: (client) => Array.from(waits).forEach((wait) => look(wait, client)),
    left(client) {
      for (const wait of waits) if (wait.open?.has(client.id) === true) wait.open.set(client.id, undefined)
    },
    close: () => Array.from(waits).forEach(finish),
  }
}
