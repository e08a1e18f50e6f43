import type { Problem } from '../../base/problem.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Gateway } from '../model/model.ts'
import { selects } from './link-policies.ts'
import { problemAt } from './linked.ts'

/** Nobody can say who sends a datagram: a policy that lets some in and others not closes the UDP listeners of the gateways it selects. */
export function datagramProblems(
  gateways: ReadonlyMap<string, Gateway>,
  snapshot: InventorySnapshot,
): readonly Problem[] {
  const taking = new Set(
    [...gateways].filter(([, { streams }]) => streams.some(({ protocol }) => protocol === 'udp')).map(([key]) => key),
  )
  if (taking.size === 0) return []
  const instances = resourcesOf(snapshot, 'Workload').filter(
    ({ metadata, spec }) => spec.gateway !== undefined && taking.has(`${metadata.namespace}/${spec.gateway.name}`),
  )
  return resourcesOf(snapshot, 'AuthorizationPolicy').flatMap((policy) => {
    if (policy.spec.action === 'AUDIT') return []
    const names = instances
      .filter((one) => selects(policy, one, snapshot))
      .map(({ metadata, spec }) => `${metadata.namespace}/${spec.gateway?.name}`)
    return [...new Set(names)].map((name) => {
      const message = `nobody can say who sends a datagram, so while this holds the UDP listeners of Gateway ${name} drop everything; select other workloads, or serve UDP by another Gateway`
      return problemAt(policy, 'spec', message)
    })
  })
}
