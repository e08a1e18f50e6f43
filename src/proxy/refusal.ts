import { upstreamFaultHeader } from '../xds/names.ts'
import { bytesBody } from './http/body.ts'
import { faultSentence, faultStatus, type Fault } from './http/fault.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import type { Peer, Reply } from './http/service.ts'

const plainText = headerField('content-type', 'text/plain; charset=utf-8')
const notProcessed = headerField(upstreamFaultHeader, 'not-processed')
const reset = headerField(upstreamFaultHeader, 'reset')

/**
 * The answer that a client sees for a fault: the status, `x-weft-fault` with its kind, and one sentence. A mesh peer also hears, by
 * header, that the program got no byte of its request (only then may its sidecar repeat a POST), or that it broke off.
 */
export function refusal(fault: Fault, direction: 'inbound' | 'outbound', peer: Peer): Reply {
  const headers: HeaderField[] = [plainText, headerField('x-weft-fault', fault.kind)]
  if (direction === 'inbound' && peer.principal !== undefined) {
    if (fault.retry === 'safe') headers.push(notProcessed)
    if (fault.kind === 'reset') headers.push(reset)
  }
  return { status: faultStatus(fault), headers, body: bytesBody(Buffer.from(`${faultSentence(fault)}\n`)) }
}
