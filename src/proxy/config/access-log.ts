import type { Collector } from './collector.ts'
import type { HeaderMatch } from './matching.ts'
import type { SpanTag } from './tracing.ts'
import type { ValuePart } from './value-format.ts'

/** Where calls and connections are told, and which of them. xDS: AccessLog. */
export type AccessLog = (FileLog | ServerLog) & {
  /** Absent: all of them. */
  readonly filter?: LogFilter
}

/** Lines in a file. xDS: FileAccessLog, StdoutAccessLog, StderrAccessLog. */
export interface FileLog {
  /** "/dev/stdout" and "/dev/stderr" go through the agent. */
  readonly path: string
  /** Absent: one JSON object a line, in our own words. */
  readonly format?: LogFormat
}

/** Entries for a server, a batch at a time. */
export interface ServerLog {
  readonly server: LogServer
  readonly entry: LogEntry
}

/** Who takes entries; equal ones are one. */
export type LogServer = {
  readonly collector: Collector
  /** xDS: log_name. */
  readonly name: string
  /** So many bytes go at once; 0: each entry by itself. xDS: buffer_size_bytes. */
  readonly batchBytes: number
  /** Fewer go after so long, ms. xDS: buffer_flush_interval. */
  readonly flushMs: number
} & (
  | {
      /** Envoy's own service. xDS: HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig. */
      readonly kind: 'stream'
      readonly entries: 'http' | 'tcp'
      /** How its stream is opened; absent: until it is there. xDS: grpc_stream_retry_policy. */
      readonly opening?: { readonly attempts: number; readonly baseMs: number; readonly maxMs: number }
    }
  | {
      /** xDS: OpenTelemetryAccessLogConfig. */
      readonly kind: 'otlp'
      /** Who tells is said in `log_name`, `zone_name`, `cluster_name`, `node_name`. xDS: disable_builtin_labels, turned round. */
      readonly tellsNode: boolean
      readonly resource: readonly ResourceField[]
    }
)

/** xDS: KeyValue. */
export type ResourceField = readonly [name: string, value: ResourceValue]

/** xDS: AnyValue. */
export type ResourceValue =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'truth'; readonly value: boolean }
  | { readonly kind: 'whole' | 'number'; readonly value: number }
  | { readonly kind: 'list'; readonly items: readonly ResourceValue[] }
  | { readonly kind: 'object'; readonly fields: readonly ResourceField[] }

/** What an entry tells. */
export type LogEntry =
  /** Of connections too. Names in lower case. */
  | {
      readonly kind: 'http'
      readonly requestHeaders: readonly string[]
      readonly responseHeaders: readonly string[]
      readonly responseTrailers: readonly string[]
      readonly tags: readonly SpanTag[]
    }
  /** Of calls too. */
  | { readonly kind: 'tcp'; readonly tags: readonly SpanTag[] }
  /** Values are texts, or objects and lists of such. */
  | {
      readonly kind: 'otlp'
      readonly body?: JsonFormat
      readonly attributes: JsonFields
      readonly tags: readonly SpanTag[]
    }

/** xDS: SubstitutionFormatString. `omitEmpty`: what is not there leaves nothing, not a `-` or a null. */
export type LogFormat =
  /** Lines end where the text says so. */
  | { readonly kind: 'text'; readonly parts: readonly ValuePart[]; readonly omitEmpty: boolean }
  /** One JSON object a line. */
  | { readonly kind: 'json'; readonly fields: JsonFields; readonly omitEmpty: boolean }

/** In the order in which they are written. */
export type JsonFields = readonly (readonly [name: string, value: JsonFormat])[]

/** A value of a JSON object as it is to be made. */
export type JsonFormat =
  /** A single command keeps its type; with text around it, it is text. */
  | { readonly kind: 'value'; readonly parts: readonly ValuePart[] }
  | { readonly kind: 'constant'; readonly value: number | boolean | null }
  | { readonly kind: 'object'; readonly fields: JsonFields }
  | { readonly kind: 'list'; readonly items: readonly JsonFormat[] }

/** Which calls and connections are told. xDS: AccessLogFilter. */
export type LogFilter =
  | { readonly kind: 'status' | 'duration'; readonly op: '=' | '>=' | '<=' | '!='; readonly value: number }
  | { readonly kind: 'all' | 'any'; readonly of: readonly LogFilter[] }
  | { readonly kind: 'header'; readonly match: HeaderMatch }
  /** None: any flag will do. */
  | { readonly kind: 'flags'; readonly oneOf: readonly string[] }
  | { readonly kind: 'grpc-status'; readonly oneOf: readonly number[]; readonly exclude: boolean }
  /** `numerator` of `denominator` calls: which ones follows from their x-request-id, so that proxies along the way tell the same ones; or from chance. */
  | {
      readonly kind: 'share'
      readonly numerator: number
      readonly denominator: number
      readonly independent: boolean
    }
  | { readonly kind: 'always' }
