import type { Log } from '../../base/log.ts'
import { formatProblem, type Problem } from '../../base/problem.ts'
import { settable, type Watchable } from '../../base/watchable.ts'
import type { FileSource } from '../collect/file-source.ts'
import type { Store, StoredDocument, StoreEvent } from '../collect/store.ts'
import type { SourcedDocument } from '../collect/yaml.ts'
import { decodeDocument } from '../decode/decode.ts'
import { keyText, type Document, type ResourceKey } from '../decode/resource.ts'
import type { Resource } from '../decode/resource-types.ts'
import { keyOfResource, leaseAnnotation, type Entry } from './entry.ts'
import { buildSnapshot, type InventorySnapshot, type WorkloadState } from './snapshot.ts'

/** All that the control plane knows, kept up to date from the store, the files and the agents' sessions. */
export interface Inventory {
  readonly current: Watchable<InventorySnapshot>
  /** What is wrong with the sources now: undecodable documents, duplicate names, files that broke. */
  readonly problems: Watchable<readonly Problem[]>
  readonly health: WorkloadHealth
  /** What the inventory would be with these changes, and what would be wrong with the changed documents. Nothing is kept. */
  with(changes: HypotheticalChanges): { readonly snapshot: InventorySnapshot; readonly problems: readonly Problem[] }
  close(): void
}

/** For validation: resources as if they were applied, keys as if they were deleted. */
export interface HypotheticalChanges {
  readonly put: readonly Resource[]
  readonly delete?: readonly ResourceKey[]
}

/** What the sessions say of their workloads, by `<namespace>/<name>`. In memory: a restart begins with what the agents then say. */
export interface WorkloadHealth {
  set(workload: string, state: WorkloadState): void
  /** The workload is gone. */
  forget(workload: string): void
}

/** Rejects only when the store does. */
export async function createInventory({
  store,
  files,
  log,
}: {
  store: Store
  files?: FileSource
  log: Log
}): Promise<Inventory> {
  const stored = new Map<string, Entry>()
  const storedProblems = new Map<string, readonly Problem[]>()
  const health = new Map<string, WorkloadState>()
  let fromFiles: { readonly entries: readonly Entry[]; readonly problems: readonly Problem[] } = {
    entries: [],
    problems: [],
  }
  let revision = 0
  let storeRevision = 0
  let stopStore = (): void => {}
  let scheduled = false
  let closed = false

  const takeStored = (document: StoredDocument): void => {
    const id = keyText({ kind: document.kind, namespace: document.metadata.namespace, name: document.metadata.name })
    const decoded = decodeDocument(document)
    if ('problems' in decoded) {
      storedProblems.set(id, decoded.problems)
      for (const problem of decoded.problems) log.error(`stored resource not in force: ${formatProblem(problem)}`)
      return
    }
    storedProblems.delete(id)
    stored.set(id, { resource: decoded.resource, document, owner: ownerOf(document) })
  }
  /** The file source gives only documents that decode; one that does not is a bug there, and is told all the same. */
  const takeFiles = (documents: readonly SourcedDocument[]): void => {
    const entries: Entry[] = []
    const wrong: Problem[] = []
    for (const { value, place } of documents) {
      const decoded = decodeDocument(value, { placeOf: place })
      if ('problems' in decoded) wrong.push(...decoded.problems)
      else {
        const owner = { kind: 'file', file: place().file } as const
        entries.push({ resource: decoded.resource, document: documentOf(decoded.resource, value), owner })
      }
    }
    fromFiles = { entries, problems: wrong }
  }
  const build = (): ReturnType<typeof buildSnapshot> =>
    buildSnapshot([...stored.values(), ...fromFiles.entries], {
      revision: ++revision,
      storeRevision,
      health: new Map(health),
    })

  const { items, revision: from } = await store.list()
  items.forEach(takeStored)
  storeRevision = from
  if (files !== undefined) takeFiles(files.documents.value)
  const first = build()
  const current = settable(first.snapshot)
  const allProblems = (duplicates: readonly Problem[]): readonly Problem[] => [
    ...(files?.problems.value ?? []),
    ...fromFiles.problems,
    ...[...storedProblems.values()].flat(),
    ...duplicates,
  ]
  const problems = settable(allProblems(first.problems), (a, b) => JSON.stringify(a) === JSON.stringify(b))

  /** One new snapshot for a burst of changes. */
  const publishSoon = (): void => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      if (closed) return
      const { snapshot, problems: duplicates } = build()
      problems.set(allProblems(duplicates))
      current.set(snapshot)
    })
  }
  const heard = (events: readonly StoreEvent[]): void => {
    for (const event of events) {
      storeRevision = event.revision
      if (event.kind === 'put') takeStored(event.document)
      else {
        stored.delete(keyText(event.key))
        storedProblems.delete(keyText(event.key))
      }
    }
    publishSoon()
  }
  const watching = await store.watch(from, heard)
  if (watching.kind === 'watching') stopStore = watching.stop
  const stopFiles = files?.documents.watch((documents) => {
    takeFiles(documents)
    publishSoon()
  })
  const stopFileProblems = files?.problems.watch(publishSoon)

  return {
    current,
    problems,
    health: {
      set(workload, state) {
        if (health.get(workload) === state) return
        health.set(workload, state)
        publishSoon()
      },
      forget(workload) {
        if (health.delete(workload)) publishSoon()
      },
    },
    with({ put, delete: gone = [] }) {
      const changed = new Set([...put.map((one) => keyText(keyOfResource(one))), ...gone.map(keyText)])
      const kept = [...stored].filter(([id]) => !changed.has(id)).map(([, entry]) => entry)
      const hypothetical = put.map((resource): Entry => ({
        resource,
        document: documentOf(resource, undefined),
        owner: { kind: 'store' },
      }))
      return buildSnapshot([...hypothetical, ...kept, ...fromFiles.entries], { revision, storeRevision, health })
    },
    close() {
      closed = true
      stopStore()
      stopFiles?.()
      stopFileProblems?.()
    },
  }
}

const ownerOf = (document: StoredDocument): Entry['owner'] =>
  document.kind === 'Workload' && document.metadata.annotations[leaseAnnotation] !== undefined
    ? { kind: 'registered' }
    : { kind: 'store' }

/** As it was written, with its metadata complete. */
function documentOf({ apiVersion, kind, metadata }: Resource, written: unknown): StoredDocument {
  const { status: _old, ...rest } = Object(written) as Partial<Document>
  return { ...rest, apiVersion, kind, metadata }
}
