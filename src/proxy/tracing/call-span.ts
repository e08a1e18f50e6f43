import type { Random } from '../../base/random.ts'
import type { RouteSpans, Tracing } from '../config.ts'
import { tagReader, type TagReader } from '../format/custom-tags.ts'
import { headerField, headerValue, type HeaderField } from '../http/headers.ts'
import type { Call, CallSpan, Outcome } from '../http/service.ts'
import { attemptTags, callTags, type Attempt, type SpanCluster } from './span-tags.ts'
import type { SpanAttribute, EndedSpan } from './ended-span.ts'
import { packReason, traceReason, type TraceReason } from './sampling.ts'
import { randomId } from './random-id.ts'
import type { SpanPlace, Tracer } from './tracer.ts'

/** What the spans of a listener are made with. */
export interface SpanParts {
  readonly tracing: Tracing
  readonly tracer: Tracer
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
  /** Undefined: what the caller said made no sense, and its trace is left alone. */
  #place: SpanPlace | undefined
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
    const { tracing, tracer, edge, isInternal, random } = this.#parts
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
    this.#place = tracer.join(headers, reason !== undefined)
    const tells = tracing.silent ? undefined : this.#place
    const told = edge && !internal ? undefined : headerValue(headers, operationHeader)
    this.#nameBy(call, words, told)
    if (words?.tags !== undefined) this.#tags = tagReader(words.tags)
    const fields: HeaderField[] = []
    for (const field of headers)
      switch (field.name) {
        case requestIdHeader:
          fields.push(tracing.requestIds.packed && tracing.requestIds.decide ? withReason(field, reason) : field)
          break
        case forceHeader:
          if (internal) fields.push(field)
          break
        case callerHeader:
          if (!edge || internal) fields.push(field)
          break
        case operationHeader:
          break
        default:
          if (tells === undefined || !tracer.replaces(field.name, tells)) fields.push(field)
      }
    if (tracing.egress && words?.operation !== undefined && words.tellsOperation === true)
      fields.push(headerField(operationHeader, words.operation))
    if (tells !== undefined) fields.push(...tracer.tell(tells))
    call.headers = fields
  }

  #nameBy(call: Call, words: RouteSpans | undefined, told: string | undefined): void {
    const { tracing, tracer } = this.#parts
    this.#name = words?.operation ?? tracer.nameOf(call)
    if (tracing.egress) return
    if (told !== undefined && told !== '') this.#name = told
    else if (words?.operation !== undefined && words.tellsOperation === true) this.#tells = words.operation
  }

  get ids(): CallSpan['ids'] {
    return this.#place
  }

  /** What the reply says and hears of the operation's name. */
  replied(told: string | undefined): HeaderField | undefined {
    if (this.#parts.tracing.egress) {
      if (told !== undefined && told !== '') this.#name = told
      return undefined
    }
    return this.#tells === undefined ? undefined : headerField(operationHeader, this.#tells)
  }

  /** An attempt begins: the upstream is told of its span. Undefined: the call has none. */
  attempt(call: Call): Attempt | undefined {
    const { tracing, tracer, random, nowMs } = this.#parts
    const own = this.#place
    if (own === undefined) return undefined
    this.attemptOver(call, undefined)
    const attempt: Attempt = {
      spanId: randomId(random, 2),
      beganMs: nowMs(),
      count: this.#attempts++,
      answered: undefined,
      late: false,
    }
    if (!tracing.silent) {
      const { traceId, sampled, state, inOne } = own
      const place = { traceId, spanId: attempt.spanId, parentId: own.spanId, sampled, state, inOne }
      call.headers = [...call.headers.filter(({ name }) => !tracer.replaces(name, place)), ...tracer.tell(place)]
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

  /** What began in a copy of the call goes on in the call. */
  adopted(from: Call, call: Call): void {
    const attempt = this.#open?.get(from.trace)
    if (attempt === undefined) return
    this.#open?.delete(from.trace)
    this.#open?.set(call.trace, attempt)
  }

  /** Told as a timeout, though it may still be answered. */
  late(call: Call): void {
    const attempt = this.#open?.get(call.trace)
    if (attempt !== undefined) attempt.late = true
  }

  /** Nobody was asked: it was no attempt. */
  forget(call: Call): void {
    this.#open?.delete(call.trace)
    this.#attempts--
  }

  #attemptEnded(call: Call, attempt: Attempt, outcome: Outcome | undefined): void {
    const own = this.#place
    if (own?.sampled !== true) return
    const { answered } = attempt
    const cluster = this.#named(call.trace.cluster)
    this.#send(call, own, {
      spanId: attempt.spanId,
      parentId: own.spanId,
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
    const place = this.#place
    if (place?.sampled !== true) return
    const { tracing, tracer, self, edge, isInternal, nowMs } = this.#parts
    const { kind } = tracer
    const believed = !edge || isInternal(call)
    const cluster = this.#named(call.trace.cluster ?? this.#routeCluster)
    const { attributes, failed } = callTags(call, outcome, { tracing, kind, cluster, believed })
    this.#send(call, place, {
      spanId: place.spanId,
      parentId: place.parentId,
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

  #send(call: Call, place: SpanPlace, span: Omit<EndedSpan, 'traceId' | 'state' | 'parentIsRemote'>): void {
    const { tags, wallMs, nowMs, ended } = this.#parts
    const since = wallMs() - nowMs()
    const own = this.#tags === undefined ? tags(call) : joined(tags(call), this.#tags(call))
    ended({
      ...span,
      traceId: place.traceId,
      state: place.state,
      parentIsRemote: span.parentId !== '' && span.parentId === place.parentId,
      beganMs: span.beganMs + since,
      endedMs: span.endedMs + since,
      attributes: joined(span.attributes, own),
    })
  }
}

function withReason(requestId: HeaderField, reason: TraceReason): HeaderField {
  const packed = packReason(requestId.value, reason)
  return packed === requestId.value ? requestId : headerField(requestIdHeader, packed)
}

/** The last word on a name counts. */
function joined(first: readonly SpanAttribute[], second: readonly SpanAttribute[]): readonly SpanAttribute[] {
  if (second.length === 0) return first
  const names = new Set(second.map(([name]) => name))
  return [...first.filter(([name]) => !names.has(name)), ...second]
}
