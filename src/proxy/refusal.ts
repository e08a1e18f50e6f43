import { formatGrpcMessage } from '../base/grpc.ts'
import { upstreamFaultHeader } from '../xds/names.ts'
import { refusedFields } from './filter/rate-limit.ts'
import { bytesBody, emptyBody } from './http/body.ts'
import { faultGrpcStatus, faultSentence, faultStatus, type Fault } from './http/fault.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import { grpcWebType, isGrpc, type Call, type Peer, type Reply } from './http/service.ts'

const plainText = headerField('content-type', 'text/plain; charset=utf-8')
const grpcType = headerField('content-type', 'application/grpc')
const notProcessed = headerField(upstreamFaultHeader, 'not-processed')
const reset = headerField(upstreamFaultHeader, 'reset')

/**
 * The answer that a client sees for a fault: the status, `x-weft-fault` with its kind, and one sentence; to a call of gRPC the same in
 * its own terms. A mesh peer also hears, by header, that the program got no byte of its request (only then may its sidecar repeat a
 * POST), or that it broke off.
 */
export function refusal(fault: Fault, direction: 'inbound' | 'outbound', peer: Peer, call?: Call): Reply {
  const headers: HeaderField[] = [headerField('x-weft-fault', fault.kind)]
  if (direction === 'inbound' && peer.principal !== undefined) {
    if (fault.retry === 'safe') headers.push(notProcessed)
    if (fault.kind === 'reset') headers.push(reset)
  }
  if (fault.kind === 'rate-limited') headers.push(...refusedFields(fault))
  if (fault.kind === 'over-limit') headers.push(...fault.fields.map(([name, value]) => headerField(name, value)))
  if (call?.refusalFields !== undefined) headers.push(...call.refusalFields)
  const sentence = faultSentence(fault)
  const web = call && grpcWebType(call)
  if (web !== undefined || (call !== undefined && isGrpc(call)))
    return grpcReply(faultGrpcStatus(fault), sentence, headers, web?.type)
  return { status: faultStatus(fault), headers: [plainText, ...headers], body: bytesBody(Buffer.from(`${sentence}\n`)) }
}

/** A reply of our own to a call of gRPC (`type`: of gRPC-Web): "trailers-only". Source: gRPC over HTTP2, "Responses". */
export const grpcReply = (
  status: number,
  message: string,
  more: readonly HeaderField[] = [],
  type?: string,
): Reply => ({
  status: 200,
  headers: [
    type === undefined ? grpcType : headerField('content-type', type),
    headerField('grpc-status', String(status)),
    ...(message === '' ? [] : [headerField('grpc-message', formatGrpcMessage(message))]),
    ...more,
  ],
  body: emptyBody,
})
