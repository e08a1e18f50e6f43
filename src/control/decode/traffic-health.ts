import {
  integer,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  string,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { formatDurationMs } from '../../base/duration.ts'
import { positiveDuration } from './duration.ts'
import { orFalse } from './traffic-outlier.ts'

/** How each proxy asks the endpoints that it may call how they are. One unit; exactly one of `http`, `grpc`, `tcp`. Times in ms. */
export interface HealthChecksSpec {
  readonly http?: HttpCheckSpec
  readonly grpc?: GrpcCheckSpec
  readonly tcp?: TcpCheckSpec
  readonly interval: number
  readonly timeout: number
  /** Failures in a row until an endpoint is left out. */
  readonly unhealthyThreshold: number
  /** Good answers in a row until it is back. */
  readonly healthyThreshold: number
}

export interface HttpCheckSpec {
  readonly path: string
  readonly method: 'GET' | 'HEAD' | 'OPTIONS'
  /** Absent: the service's name. */
  readonly host?: string
  /** Never empty; both ends belong to a range. */
  readonly expectedStatuses: readonly StatusRangeSpec[]
}
export interface StatusRangeSpec {
  readonly from: number
  readonly to: number
}

/** `grpc.health.v1.Health/Check`. */
export interface GrpcCheckSpec {
  /** Of the program's services; "": the whole of it. */
  readonly service: string
}

/** A connection; with `send` and `receive` a talk. */
export interface TcpCheckSpec {
  readonly send?: string
  readonly receive?: string
}

const path = string({ form: /^\/[\x21-\x7e]{0,1023}$/, expected: 'a path that begins with "/"' })

const host = string({
  form: /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?(:\d{1,5})?$/,
  expected: 'a host such as "shop.example"',
})

/** 200, or "200-299". */
const statuses: Decoder<StatusRangeSpec> = (value, at, issues) => {
  const text = typeof value === 'number' ? `${value}-${value}` : value
  const [, from, to] = (typeof text === 'string' ? /^([1-5]\d\d)-([1-5]\d\d)$/.exec(text) : null) ?? []
  const range = { from: Number(from), to: Number(to) }
  if (from !== undefined && range.from <= range.to) return range
  return mismatch(issues, at, 'a status such as 200, or a range such as "200-299"', value)
}

const http = object<HttpCheckSpec>({
  path: withDefault(path, '/'),
  method: withDefault(oneOf('GET', 'HEAD', 'OPTIONS'), 'GET'),
  host: optional(host),
  expectedStatuses: withDefault(list(statuses, { min: 1, max: 16 }), [{ from: 200, to: 200 }]),
})

const bytes = string({ form: /^[\s\S]{1,1024}$/, expected: 'a text of 1 to 1024 characters' })
const tcp: Decoder<TcpCheckSpec> = refine(
  object<TcpCheckSpec>({ send: optional(bytes), receive: optional(bytes) }),
  (read, at, issues) => {
    if (read.send === undefined || read.receive !== undefined) return read
    issues.push({ path: `${at}.send`, message: 'means nothing without receive: say what must come back' })
    return invalid
  },
)

const threshold = integer({ min: 1, max: 100 })

const healthChecks: Decoder<HealthChecksSpec> = refine(
  object<HealthChecksSpec>({
    http: optional(http),
    grpc: optional(
      object<GrpcCheckSpec>({
        service: withDefault(string({ form: /^[\w./-]{0,256}$/, expected: 'the name of a gRPC service' }), ''),
      }),
    ),
    tcp: optional(tcp),
    interval: withDefault(positiveDuration, 3000),
    timeout: withDefault(positiveDuration, 1000),
    unhealthyThreshold: withDefault(threshold, 3),
    healthyThreshold: withDefault(threshold, 1),
  }),
  (read, at, issues) => {
    const before = issues.length
    if ([read.http, read.grpc, read.tcp].filter((one) => one !== undefined).length !== 1)
      issues.push({ path: at, message: 'give exactly one of http, grpc, tcp' })
    if (read.timeout > read.interval) {
      const message = `must not be longer than interval (${formatDurationMs(read.interval)})`
      issues.push({ path: `${at}.timeout`, message })
    }
    return issues.length > before ? invalid : read
  },
)

/** `false` switches them off, whatever wider policies say. */
export const healthChecksSpec: Decoder<HealthChecksSpec | false> = orFalse(healthChecks)
