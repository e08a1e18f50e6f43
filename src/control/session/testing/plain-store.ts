import type { Change, Store, StoreEvent, StoredDocument } from '../../collect/store.ts'
import type { ResourceKey } from '../../decode/resource.ts'

const textOf = ({ kind, namespace, name }: ResourceKey): string => `${kind} ${namespace}/${name}`

/** As much of a store as sessions use, for tests that must not depend on a real one: no compare-and-swap, no history. */
export function plainStore(): Store {
  const documents = new Map<string, StoredDocument>()
  const watchers = new Set<(events: readonly StoreEvent[]) => void>()
  let revision = 0

  const apply = (change: Change): StoreEvent => {
    revision++
    if ('delete' in change) {
      documents.delete(textOf(change.delete))
      return { kind: 'delete', revision, key: change.delete }
    }
    const { name, namespace = '', labels = {}, annotations = {} } = change.put.metadata
    const metadata = { name, namespace, labels, annotations, resourceVersion: String(revision), creationTimestamp: '' }
    const key = { kind: change.put.kind, namespace, name }
    const document = { ...change.put, metadata }
    documents.set(textOf(key), document)
    return { kind: 'put', revision, key, document }
  }
  return {
    get: (key) => Promise.resolve(documents.get(textOf(key))),
    list: ({ kind } = {}) =>
      Promise.resolve({
        items: [...documents.values()].filter((one) => kind === undefined || one.kind === kind),
        revision,
      }),
    write(changes) {
      const events = changes.map(apply)
      for (const watcher of Array.from(watchers)) queueMicrotask(() => watcher(events))
      return Promise.resolve({ kind: 'done', revision, outcomes: changes.map(() => 'configured' as const) })
    },
    watch(_after, heard) {
      watchers.add(heard)
      return Promise.resolve({ kind: 'watching', stop: () => void watchers.delete(heard) })
    },
    copyTo: () => Promise.resolve('it is in memory only'),
    close: () => Promise.resolve(),
  }
}
