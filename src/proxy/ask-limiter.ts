import { grpcStatus } from '../base/grpc.ts'
import { askCluster } from './ask-cluster.ts'
import type { ExternalLimit, Route } from './config.ts'
import {
  descriptorsOf,
  type DescriptorParts,
  type DescriptorEntries,
  type ExternalLimitParts,
  type LimiterVerdict,
} from './filter/external-limit.ts'
import { faultSentence } from './http/fault.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import { readField, role } from './http/http1/field.ts'
import type { Call } from './http/service.ts'
import { compileCallTests } from './route/header-match.ts'
import type { World } from './along-route.ts'
import type { Shared } from './shared.ts'
import { decodeLimiterResponse, encodeLimiterRequest, limiterPath } from './xds/limiter-messages.ts'

/** More than a limiter has any reason to say. */
const limitBytes = 64 * 1024

/** How the calls of a route are described to a limiter, and how it is asked: a gRPC call through this proxy's own pools. */
export const limiterParts = (
  limit: ExternalLimit,
  route: Route | undefined,
  current: () => World,
  shared: Shared,
): ExternalLimitParts => ({
  descriptors: describing(limit, route, shared.self.service),
  ask: (call, wanted) => askLimiter(limit, call, wanted, current(), shared),
  asked: (outcome) => shared.limiterAsked(limit.domain, outcome),
})

/** What calls of a route are called by. `service`: of this proxy's program. */
export function describing(
  { stage, descriptors: own }: ExternalLimit,
  route: Route | undefined,
  service: string,
): ExternalLimitParts['descriptors'] {
  const descriptors = (own.length > 0 ? own : (route?.descriptors ?? [])).filter((one) => one.stage === stage)
  const conditions = new Map(
    descriptors.flatMap(({ entries }) =>
      entries.flatMap((entry) =>
        entry.kind === 'if-headers' ? [[entry, compileCallTests(entry.headers, [])] as const] : [],
      ),
    ),
  )
  const clusters = route?.action.kind === 'forward' ? route.action.clusters : []
  const parts: DescriptorParts = {
    matches: (entry, call) => conditions.get(entry)?.(call) !== false,
    // A bare proxy has no namespace.
    ownCluster: service.replace(/^\//, ''),
    cluster: clusters.length === 1 ? clusters[0]?.cluster : undefined,
  }
  return (call) => descriptorsOf(descriptors, call, parts)
}

const grpcHeaders = [
  headerField('te', 'trailers'),
  headerField('content-type', 'application/grpc'),
  headerField('user-agent', 'weft'),
]

async function askLimiter(
  { cluster: name, authority = name, domain, timeoutMs }: ExternalLimit,
  call: Call,
  wanted: readonly DescriptorEntries[],
  world: World,
  shared: Shared,
): Promise<LimiterVerdict | string> {
  const answer = await askCluster(
    {
      cluster: name,
      head: { method: 'POST', path: limiterPath, authority, headers: grpcHeaders, limitBytes },
      body: encodeLimiterRequest(domain, wanted),
      timeoutMs,
      onStop: (stop) => call.onCancel(stop),
    },
    world,
    shared,
  )
  if (typeof answer === 'string') return answer
  if ('kind' in answer) return faultSentence(answer)
  if (answer.status !== 200 || answer.grpcStatus !== grpcStatus.ok)
    return `status ${answer.status}, grpc-status ${answer.grpcStatus ?? 'none'}`
  const verdict = decodeLimiterResponse(answer.body)
  if (verdict === undefined) return 'its answer makes no sense'
  return {
    ...verdict,
    requestHeaders: checked(verdict.requestHeaders),
    responseHeaders: checked(verdict.responseHeaders),
  }
}

/** What a codec cares about, or could not write, is left out. */
const checked = (fields: readonly (readonly [name: string, value: string])[]): readonly HeaderField[] =>
  fields.flatMap(([name, value]) => {
    const field = readField(`${name}: ${value}`)
    return field === undefined || field.role !== role.none ? [] : [field]
  })
