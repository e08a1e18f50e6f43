import { hasErrors, type Problem } from '../base/problem.ts'
import { parseDocuments } from './collect/yaml.ts'
import { decodeDocument } from './decode/decode.ts'
import { formatKey, type Document } from './decode/resource.ts'
import type { Resource } from './decode/resource-types.ts'
import type { HypotheticalChanges } from './inventory/inventory.ts'
import { buildSnapshot, type InventorySnapshot } from './inventory/snapshot.ts'
import { link } from './link/link.ts'

/** What was read from one text, and everything that is wrong with it. */
export interface Checked {
  /** As written, with the namespace filled in. */
  readonly documents: readonly Document[]
  readonly problems: readonly Problem[]
}

/** The inventory as it would be with some changes: the live one's `with`, or `nothingYet` offline. */
export type Hypothesis = (changes: HypotheticalChanges) => {
  readonly snapshot: InventorySnapshot
  readonly problems: readonly Problem[]
}

/**
 * Decodes a text and links it into `world`: what is wrong with the documents themselves and with what they refer to. Of the linked
 * problems only those of these documents are told.
 */
export function check(text: string, file: string, world: Hypothesis, trustDomain: string): Checked {
  const parsed = parseDocuments(text, file)
  const problems: Problem[] = [...parsed.problems]
  const documents: Document[] = []
  const resources: Resource[] = []
  parsed.documents.forEach(({ value, place }, index) => {
    const decoded = decodeDocument(value, { index: index + 1, placeOf: place })
    if ('problems' in decoded) return void problems.push(...decoded.problems)
    const { metadata } = decoded.resource
    resources.push(decoded.resource)
    // It has decoded: an object with apiVersion, kind and metadata.name.
    const written = value as Document
    documents.push({ ...written, metadata: { ...written.metadata, namespace: metadata.namespace } })
  })
  if (hasErrors(problems)) return { documents, problems }
  const { snapshot, problems: duplicates } = world({ put: resources })
  const ours = new Set(
    resources.map(({ kind, metadata }) => formatKey({ kind, namespace: metadata.namespace, name: metadata.name })),
  )
  const linked = link(snapshot, { trustDomain }).problems
  return {
    documents,
    problems: [...problems, ...[...duplicates, ...linked].filter((problem) => ours.has(problem.resource))],
  }
}

/** A world in which nothing else exists. */
export const nothingYet: Hypothesis = ({ put }) =>
  buildSnapshot(
    put.map((resource) => ({
      resource,
      document: { apiVersion: resource.apiVersion, kind: resource.kind, metadata: resource.metadata },
      owner: { kind: 'store' },
    })),
    { revision: 1, health: new Map() },
  )
