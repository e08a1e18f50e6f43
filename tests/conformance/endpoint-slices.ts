import { keyOf, type Manifest, type Step } from './case.ts'
import type { Stage } from './stage.ts'

/**
 * An EndpointSlice with the pods of a backend, one slice for each: pods here have one address, and ports of their own. Those of an
 * address family that pods do not have stay as they are.
 */
export function filledSlices({ resource, from, family }: Step, { manifests, pods }: Stage): readonly Manifest[] {
  const slice = resource && manifests.get(keyOf(resource.kind, resource))
  if (slice === undefined || from === undefined) throw new Error('the EndpointSlice is not in the case')
  if (family !== 'IPv4') return []
  const filled = (pods.get(`${from.namespace}/${from.name}`) ?? []).map(({ listens }, index) => ({
    ...slice,
    metadata: { ...slice.metadata, name: index === 0 ? slice.metadata.name : `${slice.metadata.name}-${index}` },
    ports: (slice.ports ?? []).map((one) => ({ ...one, port: listens.get(one.port) ?? one.port })),
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  }))
  for (const one of filled) manifests.set(keyOf(one.kind, one.metadata), one)
  return filled
}
