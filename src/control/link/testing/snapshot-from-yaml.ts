import assert from 'node:assert/strict'
import { formatProblem } from '../../../base/problem.ts'
import { parseDocuments } from '../../collect/yaml.ts'
import { decodeDocument } from '../../decode/decode.ts'
import type { Metadata } from '../../decode/resource.ts'
import type { Entry } from '../../inventory/entry.ts'
import { buildSnapshot, type InventorySnapshot, type WorkloadState } from '../../inventory/snapshot.ts'

/**
 * For tests: what the inventory would make of these documents, one after the other in file `in.yaml`. A Workload says its health in
 * `status: { ready: false }` or `status: { draining: true }`; `status: { ready: true }` is ready; without status nobody has told.
 */
export function snapshotFromYaml(text: string): InventorySnapshot {
  const { documents, problems } = parseDocuments(text, 'in.yaml')
  assert.deepEqual(problems.map(formatProblem), [])
  const health = new Map<string, WorkloadState>()
  const entries = documents.map(({ value, place }, index): Entry => {
    const decoded = decodeDocument(value, { index: index + 1, placeOf: place })
    assert.ok('resource' in decoded, 'problems' in decoded ? decoded.problems.map(formatProblem).join('\n') : '')
    const { resource } = decoded
    const { apiVersion, kind, metadata } = resource
    const { spec, status } = value as { spec?: unknown; status?: { ready?: boolean; draining?: boolean } }
    if (kind === 'Workload' && status !== undefined) health.set(nameIn(metadata), stateIn(status))
    return { resource, document: { apiVersion, kind, metadata, spec }, owner: { kind: 'file', file: 'in.yaml' } }
  })
  const built = buildSnapshot(entries, { revision: 1, health })
  assert.deepEqual(built.problems.map(formatProblem), [])
  return built.snapshot
}

const nameIn = ({ namespace, name }: Metadata): string => `${namespace}/${name}`
const stateIn = ({ ready = true, draining = false }: { ready?: boolean; draining?: boolean }): WorkloadState =>
  draining ? 'draining' : ready ? 'ready' : 'not-ready'
