import { unmapped } from '../base/address.ts'
import { forwardedHost, internalHeader, within } from './client-address.ts'
import type { HttpTerminal } from './config.ts'
import { deadlineHeader } from './recovery/carry-deadline.ts'
import { headerField, headerValue, joinedHeaderValue, type HeaderField } from './http/headers.ts'
import type { Layer } from './http/service.ts'

const forwardedFor = 'x-forwarded-for'
const forwardedProto = 'x-forwarded-proto'
/** What the parts of a mesh say to each other. */
const meshPrefix = 'x-weft-'
const fromWithin = headerField(internalHeader, 'true')

/**
 * What strangers may not say: words of the mesh, how they are connected, how long a proxy before them waits. What they say of those before them stays, and their own
 * address is put behind it; the scheme is that of the connection, or what a trusted proxy in front says. A client from within that comes
 * directly keeps its request id and its deadline. Source: Envoy, `use_remote_address`. Undefined: no strangers come here.
 */
export function edgeHeaders({
  edge,
  trustedHops = 0,
  internalAddresses,
}: Pick<HttpTerminal, 'edge' | 'trustedHops' | 'internalAddresses'>): Layer | undefined {
  if (edge === undefined) return undefined
  const isInternal = within(internalAddresses)
  const dropped = (name: string, internal: boolean): boolean =>
    name.startsWith(meshPrefix) ||
    name === forwardedFor ||
    (name === forwardedProto && trustedHops === 0) ||
    name === internalHeader ||
    (!internal && (name === deadlineHeader || (name === 'x-request-id' && !edge.keepRequestId)))
  return (next) => (call) => {
    const { headers, peer } = call
    const before = joinedHeaderValue(headers, forwardedFor)
    const from = unmapped(peer.remote.host)
    const internal = before === undefined && isInternal(from)
    const kept: HeaderField[] = headers.filter(({ name }) => !dropped(name, internal))
    const told = trustedHops > 0 ? forwardedHost(before, trustedHops - 1) : undefined
    if (told !== undefined) call.client = { host: told, port: 0 }
    kept.push(headerField(forwardedFor, before === undefined ? from : `${before}, ${from}`))
    if (internal) kept.push(fromWithin)
    call.headers = kept
    const scheme = trustedHops > 0 ? headerValue(headers, forwardedProto) : undefined
    call.scheme = scheme === 'http' || scheme === 'https' ? scheme : peer.tls ? 'https' : 'http'
    return next(call)
  }
}
