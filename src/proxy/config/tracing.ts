import type { Collector } from './collector.ts'

/** Which calls of a listener become spans, and where those go. xDS: HttpConnectionManager.tracing. */
export interface Tracing {
  readonly tracer: TracerKind
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

/** How a trace is carried from call to call, and how its spans are called. xDS: tracing.provider. */
export type TracerKind =
  /** W3C Trace Context. */
  | { readonly kind: 'opentelemetry' }
  /** B3. */
  | {
      readonly kind: 'zipkin'
      /** Traces that begin here have ids of 128 bits, not 64. xDS: trace_id_128bit. */
      readonly wideIds: boolean
      /** A server's span is that of its client. xDS: shared_span_context. */
      readonly sharesSpans: boolean
      /** This proxy is a server also where it is in front of a client. xDS: split_spans_for_request. */
      readonly alwaysServer: boolean
      /** W3C Trace Context is read where there is no B3, and written besides. xDS: trace_context_option. */
      readonly alsoW3c: boolean
    }

/** Where spans go, and how they are written. xDS: OpenTelemetryConfig, ZipkinConfig. */
export interface SpanExporter extends Collector {
  readonly format: OtlpFormat | ZipkinFormat
  /** Spans that wait at most. xDS: max_cache_size. */
  readonly mostWaiting: number
}

/** What OTLP says besides spans. */
export interface OtlpFormat {
  readonly kind: 'otlp'
  /** `service.name`; undefined: it is not said. */
  readonly service: string | undefined
  /** `telemetry.sdk.*` are said. */
  readonly tellsSdk: boolean
  readonly tellsScope: boolean
}

/** Zipkin's second API. xDS: collector_endpoint_version. */
export interface ZipkinFormat {
  readonly kind: 'zipkin'
  readonly encoding: 'json' | 'protobuf'
  /** Spans of servers are told as half of their client's. xDS: shared_span_context. */
  readonly sharesSpans: boolean
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
