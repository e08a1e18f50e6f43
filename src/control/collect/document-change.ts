import type { Document, Metadata } from '../decode/resource.ts'
import type { StoredDocument } from './store.ts'

/** The document as it will stand in the store: `revision` is its own, its age is that of `before`. */
export function stored(
  document: Document,
  before: StoredDocument | undefined,
  { revision, wallMs }: { revision: number; wallMs: number },
): StoredDocument {
  const { name, namespace = '', labels = {}, annotations = {} } = document.metadata
  const { generation: _theirs, ...written } = document.metadata
  const metadata: Metadata = {
    ...written,
    name,
    namespace,
    labels,
    annotations,
    resourceVersion: String(revision),
    generation: generationOf(document, before),
    creationTimestamp: before?.metadata.creationTimestamp ?? new Date(wallMs).toISOString(),
  }
  return { ...document, metadata }
}

/** Of `spec` alone: labels and annotations make no other generation. */
function generationOf({ spec }: Document, before: StoredDocument | undefined): number {
  if (before === undefined) return 1
  const { generation = 1 } = before.metadata
  return canonical({ spec }) === canonical({ spec: before.spec }) ? generation : generation + 1
}

/** Whether writing `document` over `before` would change anything but what the store sets by itself. */
export function unchanged(document: Document, before: StoredDocument | undefined): boolean {
  if (before === undefined) return false
  return canonical(withoutStoreFields(document)) === canonical(withoutStoreFields(before))
}

function withoutStoreFields(document: Document): unknown {
  const {
    resourceVersion: _version,
    creationTimestamp: _created,
    generation: _generation,
    ...written
  } = document.metadata
  return { ...document, metadata: { namespace: '', labels: {}, annotations: {}, ...written } }
}

/** JSON with sorted keys: the order in which somebody wrote fields is no change. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
