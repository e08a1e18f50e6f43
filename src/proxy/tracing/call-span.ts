import type { Random } from '../../base/random.ts'
import type { RouteSpans, Tracing } from '../config.ts'
import { headerField, headerValue, type HeaderField } from '../http/headers.ts'
import type { Call, CallSpan, Outcome } from '../http/service.ts'
import { attemptTags, callTags, tagReader, type Attempt, type SpanCluster, type TagReader } from './span-tags.ts'
import type { SpanAttribute, EndedSpan } from './encode-span.ts'
import { packReason, traceReason } from './sampling.ts'
import { parentHeader, readContext, stateHeader, writeParent } from './trace-context.ts'

/** What the spans of a listener are made with. */
export interface SpanParts {
  readonly tracing: Tracing
  /** A stranger's words about other programs are not believed. */
  readonly edge: boolean
  /** The call comes from within, as the configuration draws that line. */
  readonly isInternal: (call: Call) => boolean
  readonly random: Random
  /** `node_id` and `zone`. */
  readonly self: readonly SpanAttribute[]
  /** What a cluster is called besides. */
  readonly observedAs: (cluster: string) => string
  /** The listener's own tags. */
  readonly tags: TagReader
  /** The wall's time and the monotonic one, ms. */
  readonly wallMs: () => number
  readonly nowMs: () => number
  readonly ended: (span: EndedSpan) => void
}

/** What a route calls what its calls do: said to the next proxy, and back to the caller. */
export const operationHeader = 'x-envoy-decorator-operation'
const forceHeader = 'x-envoy-force-trace'
const callerHeader = 'x-envoy-downstream-service-cluster'
const requestIdHeader = 'x-request-id'

/** One call as a tracer follows it: from its head on, by the words of its route, to its end. */
export class TracedCall implements CallSpan {
  readonly #parts: SpanParts
  #began = false
  /** What the caller said made no sense: its trace is left alone. */
  #off = false
  #sampled = false
  #traceId = ''
  #spanId = ''
  #parentId = ''
  #state = ''
  #name = ''
  #routeCluster: string | undefined
  #tags: TagReader | undefined
  /** The caller is to be told of the operation's name. */
  #tells: string | undefined
  #attempts = 0
  /** The attempt that is under way, by the exchange that it is one of. */
  #open: Map<Call['trace'], Attempt> | undefined

  constructor(parts: SpanParts) {
    this.#parts = parts
  }

  /** The route is known, or will not be. Only the first word counts. Source: Envoy, `ConnectionManagerImpl::ActiveStream::traceRequest`. */
  routed(call: Call, words: RouteSpans | undefined, routeCluster: string | undefined): void {
    if (this.#began) return
    this.#began = true
    this.#routeCluster = routeCluster
    const { tracing, edge, isInternal, random } = this.#parts
    const { headers } = call
    const internal = isInternal(call)
    const requestId = headerValue(headers, requestIdHeader)
    const reason = traceReason(
      {
        requestId,
        clientAsks: headerValue(headers, 'x-client-trace-id') !== undefined,
        forced: internal && headerValue(headers, forceHeader) !== undefined,
      },
      words?.sampling ?? tracing.sampling,
      tracing.requestIds,
      random,
    )
    const context = readContext(headers)
    if (context === 'bad') this.#off = true
    else {
      this.#sampled = reason !== undefined && context?.sampled !== false
      this.#traceId = context?.traceId ?? randomId(random, 4)
      this.#parentId = context?.spanId ?? ''
      this.#state = context?.state ?? ''
      this.#spanId = randomId(random, 2)
    }
    const told = edge && !internal ? undefined : headerValue(headers, operationHeader)
    this.#nameBy(call, words, told)
    if (words?.tags !== undefined) this.#tags = tagReader(words.tags)
    call.headers = headers.flatMap((field): readonly HeaderField[] => {
      switch (field.name) {
        case requestIdHeader: {
          if (!tracing.requestIds.packed || !tracing.requestIds.decide) return [field]
          const packed = packReason(field.value, reason)
          return [packed === field.value ? field : headerField(requestIdHeader, packed)]
        }
        case forceHeader:
          return internal ? [field] : []
        case callerHeader:
          return edge && !internal ? [] : [field]
        case operationHeader:
          return []
        case stateHeader:
          return context === undefined && !tracing.silent ? [] : [field]
        case parentHeader:
          return this.#off || tracing.silent ? [field] : []
        default:
          return [field]
      }
    })
    const added: HeaderField[] = []
    if (tracing.egress && words?.operation !== undefined && words.tellsOperation === true)
      added.push(headerField(operationHeader, words.operation))
    if (!this.#off && !tracing.silent) added.push(this.#parent(this.#spanId))
    if (added.length > 0) call.headers = [...call.headers, ...added]
  }

  #nameBy(call: Call, words: RouteSpans | undefined, told: string | undefined): void {
    const { egress } = this.#parts.tracing
    this.#name = words?.operation ?? (egress ? `egress ${call.authority}` : 'ingress')
    if (egress) return
    if (told !== undefined && told !== '') this.#name = told
    else if (words?.operation !== undefined && words.tellsOperation === true) this.#tells = words.operation
  }

  /** What the reply says and hears of the operation's name. */
  replied(told: string | undefined): HeaderField | undefined {
    if (this.#parts.tracing.egress) {
      if (told !== undefined && told !== '') this.#name = told
      return undefined
    }
    return this.#tells === undefined ? undefined : headerField(operationHeader, this.#tells)
  }

  #parent(spanId: string): HeaderField {
    return headerField(parentHeader, writeParent({ traceId: this.#traceId, spanId, sampled: this.#sampled }))
  }

  /** An attempt begins: the upstream is told of its span. Undefined: the call has none. */
  attempt(call: Call): Attempt | undefined {
    const { tracing, random, nowMs } = this.#parts
    if (this.#off) return undefined
    this.attemptOver(call, undefined)
    const attempt: Attempt = {
      spanId: randomId(random, 2),
      beganMs: nowMs(),
      count: this.#attempts++,
      answered: undefined,
    }
    if (!tracing.silent) {
      const parent = this.#parent(attempt.spanId)
      call.headers = [...call.headers.filter(({ name }) => name !== parentHeader), parent]
    }
    ;(this.#open ??= new Map()).set(call.trace, attempt)
    return attempt
  }

  /** The attempt of an exchange is over: the call itself, or the one of its own that a hedge is. No outcome: another attempt takes its place. */
  attemptOver(call: Call, outcome: Outcome | undefined): void {
    const attempt = this.#open?.get(call.trace)
    if (attempt === undefined) return
    this.#open?.delete(call.trace)
    this.#attemptEnded(call, attempt, outcome)
  }

  /** Nobody was asked: it was no attempt. */
  forget(call: Call): void {
    this.#open?.delete(call.trace)
    this.#attempts--
  }

  #attemptEnded(call: Call, attempt: Attempt, outcome: Outcome | undefined): void {
    if (!this.#sampled) return
    const { answered } = attempt
    const cluster = this.#named(call.trace.cluster)
    this.#send(call, {
      spanId: attempt.spanId,
      parentId: this.#spanId,
      name: `router ${cluster?.observedAs ?? ''} egress`,
      kind: 'client',
      beganMs: attempt.beganMs,
      endedMs: outcome === undefined && answered !== undefined ? answered.atMs : this.#parts.nowMs(),
      ...attemptTags(call, attempt, { outcome, cluster }),
    })
  }

  /** The call is over. */
  end(call: Call, outcome: Outcome): void {
    this.routed(call, undefined, undefined)
    this.attemptOver(call, outcome)
    if (!this.#sampled) return
    const { tracing, self, edge, isInternal, nowMs } = this.#parts
    const believed = !edge || isInternal(call)
    const kind = tracing.egress && !tracing.attempts ? 'client' : 'server'
    const cluster = this.#named(call.trace.cluster ?? this.#routeCluster)
    const { attributes, failed } = callTags(call, outcome, { tracing, kind, cluster, believed })
    this.#send(call, {
      spanId: this.#spanId,
      parentId: this.#parentId,
      name: this.#name,
      kind,
      beganMs: call.startedMs,
      endedMs: nowMs(),
      attributes: [...self, ...attributes],
      failed,
    })
  }

  #named(name: string | undefined): SpanCluster | undefined {
    return name === undefined ? undefined : { name, observedAs: this.#parts.observedAs(name) }
  }

  #send(call: Call, span: Omit<EndedSpan, 'traceId' | 'state' | 'parentIsRemote'>): void {
    const { tags, wallMs, nowMs, ended } = this.#parts
    const since = wallMs() - nowMs()
    const own = this.#tags === undefined ? tags(call) : joined(tags(call), this.#tags(call))
    ended({
      ...span,
      traceId: this.#traceId,
      state: this.#state,
      parentIsRemote: span.parentId !== '' && span.parentId === this.#parentId,
      beganMs: span.beganMs + since,
      endedMs: span.endedMs + since,
      attributes: joined(span.attributes, own),
    })
  }
}

/** The last word on a name counts. */
function joined(first: readonly SpanAttribute[], second: readonly SpanAttribute[]): readonly SpanAttribute[] {
  if (second.length === 0) return first
  const names = new Set(second.map(([name]) => name))
  return [...first.filter(([name]) => !names.has(name)), ...second]
}

/** So many times 32 bits, in hex; never all zeros. */
function randomId(random: Random, words: number): string {
  let id = ''
  for (let left = words; left > 0; left--)
    id += random
      .index(2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return /[^0]/.test(id) ? id : `${id.slice(1)}1`
}
