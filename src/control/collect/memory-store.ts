import type { Clock } from '../../base/clock.ts'
import { keyText } from '../decode/resource.ts'
import { planWrite } from './plan-write.ts'
import type { Store, StoredDocument, StoreEvent } from './store.ts'
import { createWatchers } from './watchers.ts'

/** How many events a store keeps for watches that come back late. */
export const keptEvents = 10_000

/** A store that forgets everything when the process ends: for tests, `weft demo` and `--store memory`. */
export function memoryStore({ clock }: { clock: Clock }): Store {
  const documents = new Map<string, StoredDocument>()
  let events: StoreEvent[] = []
  let revision = 0
  let compacted = 0
  const watchers = createWatchers({
    revision: () => revision,
    compacted: () => compacted,
    // Revisions have no gaps, so the place of one in the list is known.
    read: (after, limit) => events.slice(after - compacted, after - compacted + limit),
  })

  const compact = (): void => {
    const floor = Math.min(revision - keptEvents, watchers.slowest())
    // Cutting a long array costs its length: done once for many writes.
    if (floor - compacted < keptEvents / 10) return
    events = events.slice(floor - compacted)
    compacted = floor
  }

  return {
    get: async (key) => documents.get(keyText(key)),
    list: async ({ kind, namespace } = {}) => ({
      items: [...documents.values()]
        .filter((one) => kind === undefined || one.kind === kind)
        .filter((one) => namespace === undefined || one.metadata.namespace === namespace)
        .toSorted(byName),
      revision,
    }),
    write: async (changes) => {
      const plan = planWrite(structuredClone(changes), {
        revision,
        wallMs: clock.wallMs(),
        read: (key) => documents.get(keyText(key)),
      })
      for (const event of plan.events) {
        if (event.kind === 'put') documents.set(keyText(event.key), event.document)
        else documents.delete(keyText(event.key))
        events.push(event)
      }
      revision += plan.events.length
      compact()
      watchers.wake()
      return plan.result
    },
    watch: async (after, heard) => watchers.watch(after, heard),
    copyTo: async () =>
      'its resources are in memory only (weft up --store memory): save them with weft get KIND -A -o yaml',
    close: async () => watchers.stopAll(),
  }
}

/** The order of `Store.list`. */
export function byName(a: StoredDocument, b: StoredDocument): number {
  return (
    compareText(a.metadata.namespace, b.metadata.namespace) ||
    compareText(a.metadata.name, b.metadata.name) ||
    compareText(a.kind, b.kind)
  )
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
