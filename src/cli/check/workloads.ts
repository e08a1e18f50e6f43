import type { ProxyState, ResourceList } from '../../control/api/contract.ts'
import type { Client } from '../client/client.ts'
import { readinessOf } from '../print/columns.ts'
import { textAt } from '../print/plain.ts'
import { findingsAbout, type Finding } from './finding.ts'

const { ok, bad } = findingsAbout('Workloads')

/** Registered, ready, connected and in step: of `wanted` (`<namespace>/<name>`, or the beginning of one), or all that there are. */
export async function checkWorkloads(client: Client, wanted: string | undefined): Promise<readonly Finding[]> {
  const listed = await client.get<ResourceList>('/v1/resources/Workload')
  const states = await client.get<readonly ProxyState[]>('/v1/proxies')
  for (const answer of [listed, states])
    if (answer.kind === 'failed') return [bad('failed', 'workloads', answer.sentence, 'weft up, or --data-dir')]
  if (listed.kind === 'failed' || states.kind === 'failed') return []
  const named = listed.value.items.map((document) => ({ name: nameOf(document), document }))
  const chosen =
    wanted === undefined ? named : named.filter(({ name }) => name === wanted || name.startsWith(`${wanted}-`))
  if (chosen.length === 0) {
    if (wanted === undefined) return [ok('workloads', 'none is enrolled yet')]
    const remedy = `enrol it: weft run --service ${wanted.split('/').at(-1)} -- COMMAND`
    return [bad('failed', wanted, 'is not enrolled', remedy)]
  }
  return chosen.flatMap(({ name, document }) =>
    judgeWorkload(
      name,
      document,
      states.value.find(({ proxy }) => proxy === name),
    ),
  )
}

const nameOf = (document: unknown): string =>
  `${textAt(document, 'metadata', 'namespace')}/${textAt(document, 'metadata', 'name')}`

/** Pure. `state` is what the control plane knows of its sidecar; undefined: none was ever connected. */
export function judgeWorkload(name: string, document: unknown, state: ProxyState | undefined): readonly Finding[] {
  const found: Finding[] = []
  const ready = readinessOf(document)
  if (ready !== 'yes' && ready !== '-') {
    const why = ready.replace(/^no:? ?/, '')
    const remedy = 'does its program listen on the port that --port names, and pass --ready? See its output'
    found.push(bad('failed', name, `is not ready${why === '' ? '' : `: ${why}`}`, remedy))
  }
  if (state === undefined) {
    const remedy = 'expected if it was registered without one (a Workload that was applied); else see its output'
    return [...found, bad('warning', name, 'has no sidecar', remedy)]
  }
  if (!state.connected) {
    const remedy = 'it serves on with what it has and connects again; if not: does xDS answer from its machine?'
    return [...found, bad('failed', name, 'its sidecar has lost the control plane', remedy)]
  }
  for (const { type, synced, rejected } of state.types) {
    for (const one of rejected)
      found.push(
        bad('failed', name, `refused ${type} ${one.name}: ${one.reason}`, 'change the resource that it came from'),
      )
    if (!synced && rejected.length === 0)
      found.push(bad('warning', name, `has not acknowledged its ${type} yet`, 'wait a moment; then: weft proxies'))
  }
  return found.length > 0 ? found : [ok(name, `${ready === '-' ? 'enrolled' : 'ready'}, in step with what it was sent`)]
}
