import { hasErrors, type Problem } from '../../base/problem.ts'
import { unchanged } from '../collect/document-change.ts'
import type { Change, StoredDocument, WriteResult } from '../collect/store.ts'
import { isKind, kindInfo } from '../decode/kinds.ts'
import { formatKey, keyOf, type Document, type ResourceKey } from '../decode/resource.ts'
import type { ApplyResult } from './contract.ts'
import type { ApiParts, ResourceView } from './parts.ts'
import { ok, refuse, type ApiReply } from './reply.ts'

/** `valid` looks at the documents alone, `dry-run` at what is stored too; only `write` writes. */
export type ApplyMode = 'write' | 'dry-run' | 'valid'

/** All documents of `text` or none. Problems are told together; a lost race is 409. With `waitMs` the answer comes when they are served. */
export async function apply(parts: ApiParts, text: string, mode: ApplyMode, waitMs?: number): Promise<ApiReply> {
  const checked = await parts.check(text, 'API')
  const documents = checked.documents.map(withNamespace)
  const owned = mode === 'valid' ? [] : await Promise.all(documents.map((document) => ownedElsewhere(parts, document)))
  const problems = [...checked.problems, ...owned.flat(), ...twice(documents)]
  if (hasErrors(problems)) return refuse(422, 'nothing was applied', problems)
  if (documents.length === 0 && problems.length === 0) return refuse(400, 'the body holds no document')
  if (mode === 'valid')
    return done(
      documents.map((document) => [document, 'valid']),
      problems,
    )
  if (mode === 'dry-run') {
    const stored = await Promise.all(documents.map((document) => parts.store.get(keyOf(document))))
    return done(
      documents.map((document, index) => [document, dryAction(document, stored[index])]),
      problems,
    )
  }
  const result = await parts.store.write(documents.map(toChange))
  if (result.kind === 'conflict') return conflict(result)
  // Asked for at once, before the proxies are told: later nobody could say whom it concerned.
  const served = waitMs === undefined ? undefined : await parts.served(result.revision, waitMs)
  return done(
    documents.map((document, index) => [document, action(result.outcomes[index])]),
    problems,
    { revision: result.revision, ...(served && { served }) },
  )
}

/** Removes one resource; what its source would bring back at once is refused. */
export async function remove(parts: ApiParts, key: ResourceKey): Promise<ApiReply> {
  const view = await parts.read(key)
  const stored = await parts.store.get(key)
  if (view === undefined && stored === undefined) return refuse(404, `${formatKey(key)} does not exist`)
  const elsewhere = view === undefined ? undefined : whyNot(key, view, 'delete')
  if (elsewhere !== undefined) return refuse(422, `${formatKey(key)} ${elsewhere}`)
  const result = await parts.store.write([{ delete: key }])
  if (result.kind === 'conflict') return conflict(result)
  return result.outcomes[0] === 'absent'
    ? refuse(404, `${formatKey(key)} does not exist`)
    : ok({ resource: formatKey(key), action: 'deleted' })
}

const isNamespaced = (kind: string): boolean => !isKind(kind) || kindInfo(kind).namespaced

function withNamespace(document: Document): Document {
  const { metadata } = document
  const namespace = isNamespaced(document.kind) ? metadata.namespace || 'default' : ''
  return { ...document, metadata: { ...metadata, namespace } }
}

/** A document that carries a resourceVersion (it was read, edited and sent back) must not overwrite what came in between. */
function toChange(document: Document): Change {
  const { resourceVersion } = document.metadata
  const { status: _ours, ...put } = document
  return resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0'
    ? { put }
    : { put, expected: resourceVersion }
}

async function ownedElsewhere(parts: ApiParts, document: Document): Promise<readonly Problem[]> {
  const key = keyOf(document)
  const view = await parts.read(key)
  // An inferred Service gives way to one that somebody writes.
  if (view === undefined || (view.owner.kind === 'registered' && key.kind === 'Service')) return []
  const message = whyNot(key, view, 'apply')
  return message === undefined ? [] : [{ severity: 'error', resource: formatKey(key), field: '', message }]
}

/** Why a write to this resource would have no effect, and what to do instead. */
function whyNot(key: ResourceKey, { owner }: ResourceView, wish: 'apply' | 'delete'): string | undefined {
  if (owner.kind === 'file') return `comes from the file ${owner.file}, which is watched; change it there`
  if (owner.kind === 'store') return undefined
  if (key.kind === 'Service') return 'is inferred from its running workloads; it goes when the last of them stops'
  const remedy = wish === 'delete' ? 'stop that process instead' : 'its labels and ports are flags of that command'
  return `is registered by a running "weft run"; ${remedy}`
}

function twice(documents: readonly Document[]): readonly Problem[] {
  const seen = new Set<string>()
  return documents.flatMap((document): readonly Problem[] => {
    const resource = formatKey(keyOf(document))
    if (!seen.has(resource)) {
      seen.add(resource)
      return []
    }
    return [{ severity: 'error', resource, field: '', message: 'is given twice; keep one of the two' }]
  })
}

type Action = ApplyResult['results'][number]['action']

function done(
  results: readonly (readonly [Document, Action])[],
  problems: readonly Problem[],
  more: Pick<ApplyResult, 'revision' | 'served'> = {},
): ApiReply {
  const body: ApplyResult = {
    results: results.map(([document, what]) => ({ resource: formatKey(keyOf(document)), action: what })),
    problems,
    ...more,
  }
  return ok(body)
}

const action = (outcome: string | undefined): Action =>
  outcome === 'created' || outcome === 'unchanged' ? outcome : 'configured'

function dryAction({ status: _ours, ...document }: Document, stored: StoredDocument | undefined): Action {
  if (stored === undefined) return 'created'
  return unchanged(document, stored) ? 'unchanged' : 'configured'
}

function conflict({ key, expected, actual }: Extract<WriteResult, { kind: 'conflict' }>): ApiReply {
  const now = actual === undefined ? 'it does not exist any more' : `it is at ${actual} now`
  return refuse(
    409,
    `${formatKey(key)} was changed by somebody else: expected resourceVersion ${expected}, but ${now}; read it again`,
  )
}
