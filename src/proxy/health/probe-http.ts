import { grpcStatus } from '../../base/grpc.ts'
import { writeVarint } from '../../base/varint.ts'
import type { ProbeResult } from '../balance/probe.ts'
import type { GrpcProbe, HttpProbe, StatusRange } from '../config.ts'
import { askOnce } from './ask-once.ts'
import { faultSentence, type Fault } from '../http/fault.ts'
import { headerField, headerValue, type Headers } from '../http/headers.ts'
import type { Call, Reply } from '../http/service.ts'
import { foundInOrder } from './found-in-order.ts'

/** What a check of one endpoint by HTTP needs. */
export interface HttpProbeParts {
  /** Sends to the endpoint. */
  readonly send: (call: Call) => Promise<Reply | Fault>
  /** Who is asked for where the check does not say. */
  readonly host: string
  readonly nowMs: () => number
  /** Called with what breaks the check off. */
  readonly onStop: (stop: (fault: Fault) => void) => void
}

const userAgent = headerField('user-agent', 'Weft/HC')
/** Says, in a good answer, that the endpoint would rather have fewer calls. Source: Envoy, "Degraded health". */
const degradedHeader = 'x-envoy-degraded'

/** Asks once. Source: Envoy HealthCheck.HttpHealthCheck. */
export async function probeHttp(probe: HttpProbe, parts: HttpProbeParts): Promise<ProbeResult> {
  const { method, path, host = parts.host, limitBytes } = probe
  const answer = await askOnce(
    { method, path, authority: host, headers: headersOf(probe), limitBytes },
    probe.send,
    parts,
  )
  if ('kind' in answer) return failed(answer)
  const { status, headers, body } = answer
  if (!isIn(probe.expected, status))
    return { kind: 'failed', wrong: !isIn(probe.retriable, status), why: `status ${status}` }
  if (!foundInOrder(body, probe.receive)) return { kind: 'failed', wrong: true, why: 'the body is not as expected' }
  return { kind: 'passed', degraded: headerValue(headers, degradedHeader) !== undefined }
}

/** Asks `grpc.health.v1.Health/Check` once. Source: gRPC, "Health Checking Protocol". */
export async function probeGrpc(probe: GrpcProbe, parts: HttpProbeParts): Promise<ProbeResult> {
  const { service, authority = parts.host } = probe
  const headers = [headerField('te', 'trailers'), headerField('content-type', 'application/grpc'), ...headersOf(probe)]
  const head = { method: 'POST', path: '/grpc.health.v1.Health/Check', authority, headers, limitBytes: 1024 }
  const answer = await askOnce(head, healthRequest(service), parts)
  if ('kind' in answer) return failed(answer)
  const status = answer.grpcStatus
  if (answer.status !== 200 || status !== grpcStatus.ok)
    return {
      kind: 'failed',
      wrong: true,
      why: status === undefined ? `status ${answer.status}` : `grpc-status ${status}`,
    }
  return isServing(answer.body)
    ? { kind: 'passed', degraded: headerValue(answer.headers, degradedHeader) !== undefined }
    : { kind: 'failed', wrong: true, why: 'it is not serving' }
}

const headersOf = ({ headers }: Pick<HttpProbe, 'headers'>): Headers => {
  const own = headers.map(({ name, value }) => headerField(name, value))
  return own.some(({ name }) => name === 'user-agent') ? own : [userAgent, ...own]
}

const failed = (fault: Fault): ProbeResult => ({ kind: 'failed', wrong: false, why: faultSentence(fault) })

const isIn = (ranges: readonly StatusRange[], status: number): boolean =>
  ranges.some(({ from, to }) => from <= status && status <= to)

/** A length-prefixed HealthCheckRequest: field 1, the service. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a), Buffer.from(writeVarint(name.length)), name])
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** A length-prefixed HealthCheckResponse whose field 1 is SERVING (1), uncompressed. */
const isServing = (body: Buffer): boolean => body.subarray(0, 7).equals(Buffer.of(0, 0, 0, 0, 2, 0x08, 1))
