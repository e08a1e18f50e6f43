/** Which calls of a listener become spans, and where those go. xDS: HttpConnectionManager.tracing. */
export interface Tracing {
  readonly exporter: SpanExporter
  readonly sampling: Sampling
  /** A route has the last word on one of the same name. What a call lacks is left out. */
  readonly tags: readonly SpanTag[]
  /** Longest path in `http.url`, characters. xDS: max_path_tag_length. */
  readonly maxPathLength: number
  /** Each attempt is a span of its own, below the call's. xDS: spawn_upstream_span. */
  readonly attempts: boolean
  /** Upstreams are not told. xDS: no_context_propagation. */
  readonly silent: boolean
  /** The program behind this proxy is the one that calls. xDS: the listener's traffic_direction OUTBOUND. */
  readonly egress: boolean
  /** What request ids have to do with it. xDS: request_id_extension. */
  readonly requestIds: RequestIds
}

/** xDS: UuidRequestIdConfig. */
export interface RequestIds {
  /** The id says in one of its digits why the call is traced. xDS: pack_trace_reason. */
  readonly packed: boolean
  /** The id decides; else every call is traced. xDS: use_request_id_for_trace_sampling. */
  readonly decide: boolean
}

/** Where spans go. xDS: OpenTelemetryConfig. */
export interface SpanExporter {
  readonly cluster: string
  readonly protocol: 'grpc' | 'http'
  readonly authority: string
  readonly path: string
  /** For one export, ms. */
  readonly timeoutMs: number
  /** Besides those of the protocol; names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** `service.name`; undefined: it is not said. */
  readonly service: string | undefined
  /** `telemetry.sdk.*` are said. */
  readonly tellsSdk: boolean
  readonly tellsScope: boolean
  /** Spans that wait at most. xDS: max_cache_size. */
  readonly mostWaiting: number
}

/** Shares of calls; the first two are of those that ask for it, and of the others. xDS: client_sampling, random_sampling, overall_sampling. */
export interface Sampling {
  readonly client: SampleShare
  readonly random: SampleShare
  readonly overall: SampleShare
}

/** `numerator` of so many. */
export interface SampleShare {
  readonly numerator: number
  readonly denominator: number
}

/** xDS: CustomTag. */
export type SpanTag = { readonly tag: string } & (
  | { readonly kind: 'constant'; readonly value: string }
  /** Lower case; `otherwise`: what stands there where the field is not. */
  | { readonly kind: 'request-header'; readonly name: string; readonly otherwise: string }
)

/** What a route says of the spans of its calls. xDS: Route.tracing, Route.decorator. */
export interface RouteSpans {
  readonly sampling?: Sampling
  readonly tags?: readonly SpanTag[]
  /** Name of the span; absent: the listener's. xDS: decorator.operation. */
  readonly operation?: string
  /** The other side is told of that name. xDS: decorator.propagate. */
  readonly tellsOperation?: boolean
}
