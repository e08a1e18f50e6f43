import { formatAddress } from '../../base/address.ts'
import type { ValuePart } from '../config.ts'
import { headerValue, type Headers } from '../http/headers.ts'
import { clientOf, type Call } from '../http/service.ts'

/** What is known of a reply when a value is made for one. */
export interface ReplySoFar {
  readonly status: number
  readonly headers: Headers
}

/** The value for one call; what is not there is the empty text. Source: Envoy, command operators of access logs. */
export function formatValue(parts: readonly ValuePart[], call: Call, reply: ReplySoFar | undefined): string {
  let text = ''
  for (const part of parts) text += typeof part === 'string' ? part : valueOf(part, call, reply)
  return text
}

function valueOf(part: Exclude<ValuePart, string>, call: Call, reply: ReplySoFar | undefined): string {
  const { peer, trace } = call
  switch (part.kind) {
    case 'request-header':
      return firstOf(part, (name) => requestValue(call, name))
    case 'response-header':
      return firstOf(part, (name) => reply && headerValue(reply.headers, name))
    case 'remote-address':
      return formatAddress(clientOf(call))
    case 'remote-host':
      return clientOf(call).host
    case 'local-address':
      return formatAddress(peer.local)
    case 'local-host':
      return peer.local.host
    case 'local-port':
      return String(peer.local.port)
    case 'peer-uri':
      return peer.principal ?? ''
    case 'protocol':
      return call.protocol === 'h2' ? 'HTTP/2' : call.protocol.toUpperCase()
    case 'response-code':
      return reply === undefined ? '' : String(reply.status)
    case 'cluster':
      return trace.cluster ?? ''
    case 'upstream-host':
      return trace.endpoint === undefined ? '' : formatAddress(trace.endpoint)
  }
}

function firstOf(
  { names, longest }: { readonly names: readonly string[]; readonly longest?: number },
  find: (name: string) => string | undefined,
): string {
  for (const name of names) {
    const value = find(name)
    if (value !== undefined) return value.slice(0, longest)
  }
  return ''
}

function requestValue(call: Call, name: string): string | undefined {
  switch (name) {
    case ':method':
      return call.method
    case ':path':
      return call.path
    case ':scheme':
      return call.scheme
    case ':authority':
    case 'host':
      return call.authority
    default:
      return headerValue(call.headers, name)
  }
}
