import { headerValue } from '../http/headers.ts'
import type { Call } from '../http/service.ts'

/** What a call is, by Envoy's words: so that logs, headers and spans of both can be read together. */
export const protocolName = ({ protocol }: Pick<Call, 'protocol'>): string =>
  protocol === 'h2' ? 'HTTP/2' : protocol.toUpperCase()

/** By its content type alone, and that without parameters; `isGrpc` goes by the protocol's own rules. Source: Envoy, `Grpc::Common::hasGrpcContentType`. */
export const namesGrpc = ({ headers }: Pick<Call, 'headers'>): boolean =>
  /^application\/grpc(?:\+|$)/.test(headerValue(headers, 'content-type') ?? '')
