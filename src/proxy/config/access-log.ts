import type { HeaderMatch } from './matching.ts'
import type { ValuePart } from './value-format.ts'

/** Where the lines of calls and connections go, which of them, and what they look like. xDS: AccessLog. */
export interface AccessLog {
  /** "/dev/stdout" and "/dev/stderr" go through the agent. */
  readonly path: string
  /** Absent: one JSON object a line, in our own words. */
  readonly format?: LogFormat
  /** Absent: all of them. */
  readonly filter?: LogFilter
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
