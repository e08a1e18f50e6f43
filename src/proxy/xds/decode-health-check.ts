import {
  HealthCheckSchema,
  HealthCheck_GrpcHealthCheckSchema,
  HealthCheck_HttpHealthCheckSchema,
  HealthCheck_TcpHealthCheckSchema,
  type HealthCheck as XdsHealthCheck,
  type HealthCheck_GrpcHealthCheck,
  type HealthCheck_HttpHealthCheck,
  type HealthCheck_Payload,
  type HealthCheck_TcpHealthCheck,
} from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { RequestMethod, type HeaderValueOption } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { CodecClientType } from '../../xds/gen/envoy/type/v3/http_pb.ts'
import type { Int64Range } from '../../xds/gen/envoy/type/v3/range_pb.ts'
import type { GrpcProbe, HealthCheck, HttpProbe, StatusRange, TcpProbe } from '../config.ts'
import { decodeHeaderEdits } from './decode-header-edits.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const checkFields = fieldNames(`timeout interval initial_jitter interval_jitter interval_jitter_percent
  unhealthy_threshold healthy_threshold reuse_connection http_health_check tcp_health_check grpc_health_check
  no_traffic_interval no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval healthy_edge_interval`)

/** A cluster's active check; as in Envoy there is at most one. */
export function decodeHealthCheck(checks: readonly XdsHealthCheck[], refused: Refusals): HealthCheck | undefined {
  const [check] = checks
  if (check === undefined) return undefined
  if (checks.length > 1) refused.add('health_checks', 'expected at most one')
  const path = 'health_checks[0]'
  knowOnly(HealthCheckSchema, check, checkFields, path, refused)
  const ms = (value: XdsHealthCheck['timeout'], name: string, absentMs: number): number =>
    durationMs(value, absentMs, join(path, name), refused)
  const timeoutMs = ms(check.timeout, 'timeout', 0)
  const intervalMs = ms(check.interval, 'interval', 0)
  if (timeoutMs <= 0) refused.add(join(path, 'timeout'), 'expected more than 0')
  if (intervalMs <= 0) refused.add(join(path, 'interval'), 'expected more than 0')
  const noTrafficIntervalMs = ms(check.noTrafficInterval, 'no_traffic_interval', 60_000)
  const unhealthyIntervalMs = ms(check.unhealthyInterval, 'unhealthy_interval', intervalMs)
  const probe = decodeProbe(check, path, refused)
  if (probe.kind === 'tcp' && check.reuseConnection === true)
    refused.add(join(path, 'reuse_connection'), 'is not supported with tcp_health_check: each opens a connection')
  return {
    probe,
    timeoutMs,
    intervalMs,
    initialJitterMs: ms(check.initialJitter, 'initial_jitter', 0),
    intervalJitterMs: ms(check.intervalJitter, 'interval_jitter', 0),
    intervalJitterPercent: check.intervalJitterPercent,
    unhealthyThreshold: threshold(check.unhealthyThreshold, join(path, 'unhealthy_threshold'), refused),
    healthyThreshold: threshold(check.healthyThreshold, join(path, 'healthy_threshold'), refused),
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs: ms(check.noTrafficHealthyInterval, 'no_traffic_healthy_interval', noTrafficIntervalMs),
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs: ms(check.unhealthyEdgeInterval, 'unhealthy_edge_interval', unhealthyIntervalMs),
    healthyEdgeIntervalMs: ms(check.healthyEdgeInterval, 'healthy_edge_interval', intervalMs),
    reuseConnection: check.reuseConnection ?? true,
  }
}

/** Source: the .proto's validation: required. */
function threshold(value: number | undefined, path: string, refused: Refusals): number {
  if (value === undefined) refused.add(path, 'is missing')
  return Math.max(1, value ?? 1)
}

function decodeProbe({ healthChecker: by }: XdsHealthCheck, path: string, refused: Refusals): HealthCheck['probe'] {
  switch (by.case) {
    case 'httpHealthCheck':
      return decodeHttp(by.value, join(path, 'http_health_check'), refused)
    case 'grpcHealthCheck':
      return decodeGrpc(by.value, join(path, 'grpc_health_check'), refused)
    case 'tcpHealthCheck':
      return decodeTcp(by.value, join(path, 'tcp_health_check'), refused)
    default:
      if (by.case === undefined) refused.add(path, 'expected http_health_check, grpc_health_check or tcp_health_check')
      return { kind: 'tcp', send: Buffer.alloc(0), receive: [] } // refused
  }
}

const httpFields = fieldNames(`host path send receive response_buffer_size request_headers_to_add expected_statuses
  retriable_statuses codec_client_type method`)
const methods = new Map<number, string>(
  Object.entries(RequestMethod).flatMap(([name, value]) => (value === 0 ? [] : [[value, name] as const])),
)

function decodeHttp(check: HealthCheck_HttpHealthCheck, path: string, refused: Refusals): HttpProbe {
  knowOnly(HealthCheck_HttpHealthCheckSchema, check, httpFields, path, refused)
  if (!check.path.startsWith('/')) refused.add(join(path, 'path'), `expected a path, got ${JSON.stringify(check.path)}`)
  if (check.codecClientType === CodecClientType.HTTP3)
    refused.add(join(path, 'codec_client_type'), 'HTTP3 is not supported')
  if (check.method === RequestMethod.CONNECT) refused.add(join(path, 'method'), 'CONNECT is not supported')
  const expected = ranges(check.expectedStatuses, join(path, 'expected_statuses'), refused)
  return {
    kind: 'http',
    protocol: check.codecClientType === CodecClientType.HTTP2 ? 'h2' : 'http/1.1',
    method: methods.get(check.method) ?? 'GET',
    host: check.host || undefined,
    path: check.path,
    expected: expected.length > 0 ? expected : [{ from: 200, to: 200 }],
    retriable: ranges(check.retriableStatuses, join(path, 'retriable_statuses'), refused),
    headers: headersOf(check.requestHeadersToAdd, path, refused),
    send: check.send === undefined ? Buffer.alloc(0) : payload(check.send, join(path, 'send'), refused),
    receive: payloads(check.receive, join(path, 'receive'), refused),
    limitBytes: Number(check.responseBufferSize ?? 1024n) || 64 * 1024,
  }
}

const grpcFields = fieldNames('service_name authority initial_metadata')

function decodeGrpc(check: HealthCheck_GrpcHealthCheck, path: string, refused: Refusals): GrpcProbe {
  knowOnly(HealthCheck_GrpcHealthCheckSchema, check, grpcFields, path, refused)
  return {
    kind: 'grpc',
    service: check.serviceName,
    authority: check.authority || undefined,
    headers: headersOf(check.initialMetadata, path, refused),
  }
}

const tcpFields = fieldNames('send receive')

function decodeTcp(check: HealthCheck_TcpHealthCheck, path: string, refused: Refusals): TcpProbe {
  knowOnly(HealthCheck_TcpHealthCheckSchema, check, tcpFields, path, refused)
  return {
    kind: 'tcp',
    send: check.send === undefined ? Buffer.alloc(0) : payload(check.send, join(path, 'send'), refused),
    receive: payloads(check.receive, join(path, 'receive'), refused),
  }
}

/** Nothing is there before them: however they are to be added, they are. */
function headersOf(add: readonly HeaderValueOption[], path: string, refused: Refusals): HttpProbe['headers'] {
  const none = { requestHeadersToRemove: [], responseHeadersToAdd: [], responseHeadersToRemove: [] }
  const { request } = decodeHeaderEdits({ requestHeadersToAdd: add, ...none }, path, refused)
  return request.flatMap(({ options }) =>
    options.map(({ name, value }) => {
      // No call is there for a value to say something of.
      if (typeof value !== 'string') refused.add(path, `commands (%…%) are not supported in ${name}`)
      return { name, value: typeof value === 'string' ? value : '' }
    }),
  )
}

/** Half-open as they come; both ends belong to them afterwards. */
function ranges(list: readonly Int64Range[], path: string, refused: Refusals): readonly StatusRange[] {
  return list.map(({ start, end }, index) => {
    const range = { from: Number(start), to: Number(end) - 1 }
    if (range.from < 100 || range.to > 599 || range.from > range.to)
      refused.add(`${path}[${index}]`, `expected 100 ≤ start < end ≤ 600, got ${start} and ${end}`)
    return range
  })
}

const payloads = (list: readonly HealthCheck_Payload[], path: string, refused: Refusals): readonly Buffer[] =>
  list.map((one, index) => payload(one, `${path}[${index}]`, refused))

/** `text` is hexadecimal. */
function payload({ payload: by }: HealthCheck_Payload, path: string, refused: Refusals): Buffer {
  if (by.case === 'binary') return Buffer.from(by.value)
  const text = by.value ?? ''
  if (text === '' || text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text))
    refused.add(join(path, 'text'), `expected pairs of hexadecimal digits, got ${JSON.stringify(text)}`)
  return Buffer.from(text, 'hex')
}
