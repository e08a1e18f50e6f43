import { unmapped } from '../base/address.ts'
import type { Edge } from './config.ts'
import { deadlineHeader } from './recovery/carry-deadline.ts'
import { headerField, joinedHeaderValue, type HeaderField } from './http/headers.ts'
import type { Layer } from './http/service.ts'

const forwardedFor = 'x-forwarded-for'
/** What the parts of a mesh say to each other. */
const meshPrefix = 'x-weft-'

/**
 * What strangers may not say: words of the mesh, how they are connected, how long a proxy before them waits. What they say of those before them stays, and their own
 * address is put behind it; the scheme is that of the connection. Source: Envoy, `use_remote_address`. Undefined: no strangers come here.
 */
export function edgeHeaders(edge: Edge | undefined): Layer | undefined {
  if (edge === undefined) return undefined
  const dropped = (name: string): boolean =>
    name.startsWith(meshPrefix) ||
    name === forwardedFor ||
    name === 'x-forwarded-proto' ||
    name === deadlineHeader ||
    (name === 'x-request-id' && !edge.keepRequestId)
  return (next) => (call) => {
    const { headers, peer } = call
    const before = joinedHeaderValue(headers, forwardedFor)
    const kept: HeaderField[] = headers.filter(({ name }) => !dropped(name))
    const from = unmapped(peer.remote.host)
    kept.push(headerField(forwardedFor, before === undefined ? from : `${before}, ${from}`))
    call.headers = kept
    call.scheme = peer.tls ? 'https' : 'http'
    return next(call)
  }
}
