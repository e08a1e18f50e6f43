import { isHttp2 } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import type { LimitEntrySpec } from '../decode/traffic-external-limit.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { ExternalLimit, LimitEntry } from '../model/model.ts'
import type { TrafficPolicy } from './link-traffic.ts'
import { originOf, problemAt, type Linked } from './linked.ts'
import { policyBackend } from './policy-backends.ts'

/** Whom a policy has asked; undefined: it says nothing of it; false: nobody, since it says so, or names nobody who can be. */
export type Limiters = (policy: TrafficPolicy) => ExternalLimit | false | undefined

/** What policies name that can be asked; told once for each policy, not for each port or rule that it is for. */
export function linkExternalLimits(snapshot: InventorySnapshot): Linked<Limiters> {
  const named = new Map<string, ExternalLimit>()
  const problems: Problem[] = []
  for (const policy of resourcesOf(snapshot, 'TrafficPolicy')) {
    const linked = linkExternalLimit(policy, snapshot)
    if (linked === undefined) continue
    if ('message' in linked) problems.push(linked)
    else named.set(linked.name, linked)
  }
  const value: Limiters = (policy) =>
    policy.spec.externalRateLimit === undefined ? undefined : (named.get(nameOf(policy)) ?? false)
  return { value, problems }
}

function linkExternalLimit(policy: TrafficPolicy, snapshot: InventorySnapshot): ExternalLimit | Problem | undefined {
  const { externalRateLimit: said } = policy.spec
  if (said === undefined || said === false) return undefined
  const field = 'spec.externalRateLimit'
  const found = policyBackend(policy, { ref: said.backendRef, field: `${field}.backendRef` }, snapshot)
  if ('message' in found) return found
  const { destination, port } = found
  const service = `${destination.metadata.namespace}/${destination.metadata.name}`
  const protocol = destination.spec.ports.find((one) => one.port === port)?.protocol
  if (protocol === undefined || !isHttp2(protocol)) {
    const message = `port ${port} of ${service} is ${protocol}, and a limiter is called by gRPC; declare it so (appProtocol: grpc)`
    return problemAt(policy, `${field}.backendRef.port`, message)
  }
  return {
    name: nameOf(policy),
    service,
    port,
    domain: said.domain,
    timeoutMs: said.timeout,
    closed: said.failureMode === 'Closed',
    tellsAll: said.rateLimitHeaders,
    descriptors: said.descriptors.map(({ entries }) => entries.map(linkEntry)),
    origin: originOf(policy, field),
  }
}

/** What is left of a policy beside an older one is another object of the same name. */
const nameOf = ({ metadata }: TrafficPolicy): string => `${metadata.namespace}/${metadata.name}`

function linkEntry(entry: LimitEntrySpec): LimitEntry {
  if ('header' in entry) return { kind: 'header', key: entry.key, name: entry.header }
  return 'value' in entry ? { kind: 'text', key: entry.key, value: entry.value } : { kind: 'remote-address' }
}
