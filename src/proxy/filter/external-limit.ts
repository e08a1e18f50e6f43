import type { Descriptor, DescriptorEntry, ExternalLimit } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { headerField, headerValue, type HeaderField } from '../http/headers.ts'
import { clientOf, isFault, type Call, type Layer, type Reply } from '../http/service.ts'

/** Key and value, as the limiter knows them. */
export type DescriptorEntries = readonly (readonly [key: string, value: string])[]

/** What a limiter is asked about a call: what the call is called by, and the headers that decide. */
export interface DescriptorParts {
  /** Of a condition on headers. */
  readonly matches: (entry: Extract<DescriptorEntry, { kind: 'if-headers' }>, call: Call) => boolean
  /** The service of this proxy's program. */
  readonly ownCluster: string
  /** Where the route leads; undefined: to none alone. */
  readonly cluster: string | undefined
}

/** The descriptors of a call: one for each whose entries can all be found out. Source: Envoy, "Composing actions". Pure. */
export const descriptorsOf = (
  descriptors: readonly Descriptor[],
  call: Call,
  parts: DescriptorParts,
): readonly DescriptorEntries[] =>
  descriptors.flatMap(({ entries }) => {
    const found: (readonly [string, string])[] = []
    for (const entry of entries) {
      const one = entryOf(entry, call, parts)
      if (one === undefined) return []
      if (one !== 'left-out') found.push(one)
    }
    return found.length === 0 ? [] : [found]
  })

function entryOf(
  entry: DescriptorEntry,
  call: Call,
  { matches, ownCluster, cluster }: DescriptorParts,
): readonly [string, string] | 'left-out' | undefined {
  switch (entry.kind) {
    case 'text':
      return [entry.key, entry.value]
    case 'header': {
      const value =
        entry.name === ':path'
          ? call.path
          : entry.name === ':method'
            ? call.method
            : entry.name === ':authority'
              ? call.authority
              : headerValue(call.headers, entry.name)
      if (value === undefined || value === '') return entry.optional ? 'left-out' : undefined
      return [entry.key, value]
    }
    case 'remote-address':
      return ['remote_address', clientOf(call).host]
    case 'if-headers':
      return matches(entry, call) === entry.expect ? [entry.key, entry.value] : undefined
    case 'source-cluster':
      return ['source_cluster', ownCluster]
    case 'destination-cluster':
      return cluster === undefined ? undefined : ['destination_cluster', cluster]
  }
}

/** What a limiter said. */
export interface LimiterVerdict {
  readonly over: boolean
  /** For the program, when the call goes on. */
  readonly requestHeaders: readonly HeaderField[]
  /** For the caller, in any case. */
  readonly responseHeaders: readonly HeaderField[]
  readonly statuses: readonly LimitStatus[]
}

/** Of one descriptor; `current` absent: no limit is for it. */
export interface LimitStatus {
  readonly current?: { readonly requestsPerUnit: number; readonly unitSeconds: number; readonly name: string }
  readonly remaining: number
  readonly resetSeconds: number
}

/** What asking needs. */
export interface ExternalLimitParts {
  /** Undefined: there is nothing to ask about. */
  readonly descriptors: (call: Call) => readonly DescriptorEntries[]
  /** One question; a string says why there is no answer. Ends when the call is cancelled. */
  readonly ask: (call: Call, descriptors: readonly DescriptorEntries[]) => Promise<LimiterVerdict | string>
  /** Told how each question went. */
  readonly asked: (outcome: 'ok' | 'over-limit' | 'failed') => void
}

/** Asks the limiter before the call goes on. Source: Envoy, "Rate limit" HTTP filter. */
export function externalLimit(limit: ExternalLimit, { descriptors, ask, asked }: ExternalLimitParts): Layer {
  return (next) => async (call) => {
    const wanted = descriptors(call)
    if (wanted.length === 0) return next(call)
    let cancelled: Fault | undefined
    call.onCancel((fault) => (cancelled = fault))
    const verdict = await ask(call, wanted)
    if (cancelled !== undefined) return cancelled
    if (typeof verdict === 'string') {
      asked('failed')
      return limit.statusOnFailure === undefined ? next(call) : failed(limit, limit.statusOnFailure, verdict)
    }
    asked(verdict.over ? 'over-limit' : 'ok')
    const told = [...(limit.tellsAll ? limitFields(verdict.statuses) : []), ...verdict.responseHeaders]
    if (verdict.over) return refused(limit, told)
    if (verdict.requestHeaders.length > 0) call.headers = [...call.headers, ...verdict.requestHeaders]
    const answer = await next(call)
    if (told.length === 0) return answer
    if (!isFault(answer)) return withFields(answer, told)
    call.refusalFields = [...(call.refusalFields ?? []), ...told]
    return answer
  }
}

const failed = ({ domain }: ExternalLimit, status: number, cause: string): Fault => ({
  kind: 'limiter-failed',
  side: 'self',
  retry: 'never',
  status,
  domain,
  cause,
})

const refused = (
  { status, resourceExhausted, domain, marked }: ExternalLimit,
  told: readonly HeaderField[],
): Fault => ({
  kind: 'over-limit',
  side: 'self',
  retry: 'never',
  status,
  resourceExhausted,
  domain,
  fields: [...(marked ? [['x-envoy-ratelimited', 'true'] as const] : []), ...told.map(pair)],
})

const pair = ({ name, value }: HeaderField): readonly [string, string] => [name, value]

const withFields = (reply: Reply, fields: readonly HeaderField[]): Reply => ({
  ...reply,
  headers: [...reply.headers, ...fields],
})

/** The limit that has least left, and all that hold. Source: draft-polli-ratelimit-headers-03, as Envoy writes them. */
function limitFields(statuses: readonly LimitStatus[]): readonly HeaderField[] {
  const held = statuses.filter(({ current }) => current !== undefined)
  const [first, ...rest] = held
  if (first?.current === undefined) return []
  const least = rest.reduce((low, one) => (one.remaining < low.remaining ? one : low), first)
  const all = held.map(({ current }) => {
    const { requestsPerUnit = 0, unitSeconds = 0, name = '' } = current ?? {}
    return `, ${requestsPerUnit};w=${unitSeconds}${name === '' ? '' : `;name="${name}"`}`
  })
  return [
    headerField('x-ratelimit-limit', `${least.current?.requestsPerUnit ?? 0}${all.join('')}`),
    headerField('x-ratelimit-remaining', String(least.remaining)),
    headerField('x-ratelimit-reset', String(least.resetSeconds)),
  ]
}
