import { randomUuid } from '../base/random-uuid.ts'
import { clientCertificateHeader } from '../xds/names.ts'
import { forwardedHost, internalHeader, within } from './client-address.ts'
import { clientCertificateField, mayForward } from './client-certificate.ts'
import type { HttpTerminal } from './config.ts'
import { headerField, joinedHeaderValue, type HeaderField, type Headers } from './http/headers.ts'
import type { Call, Layer } from './http/service.ts'

const forwardedProto = headerField('x-forwarded-proto', 'http')
const forwardedProtoTls = headerField('x-forwarded-proto', 'https')
const fromWithin = headerField(internalHeader, 'true')

/**
 * The fields that a hop adds: who the caller has proven to be (`x-forwarded-client-cert`; what a caller says of itself is removed,
 * unless it may be forwarded), `x-request-id` if this is the first proxy, `x-forwarded-proto` if there is none. Where no strangers come,
 * `x-forwarded-for` says who the client is; elsewhere `edgeHeaders` has looked at it.
 */
export function requestHeaders(
  terminal: Pick<
    HttpTerminal,
    'forwardClientCert' | 'clientCertParts' | 'generateRequestId' | 'edge' | 'trustedHops' | 'internalAddresses'
  >,
  ownId: () => string | undefined,
): Layer {
  const { forwardClientCert, generateRequestId } = terminal
  const proofOf = clientCertificateField(terminal, ownId)
  const forwarded = terminal.edge === undefined ? forwardedClient(terminal) : undefined
  return (next) => (call) => {
    const { peer } = call
    call.headers = edited(call, proofOf(peer), mayForward(forwardClientCert, peer), generateRequestId, forwarded)
    return next(call)
  }
}

/** Notes the client that proxies in front name. True: it is one from within. */
type ForwardedClient = (call: Call) => boolean

/** Source: Envoy, `use_remote_address` false: the only entry of the list may be from within, and no longer list. */
function forwardedClient({
  trustedHops = 0,
  internalAddresses,
}: Pick<HttpTerminal, 'trustedHops' | 'internalAddresses'>): ForwardedClient {
  const isInternal = within(internalAddresses)
  return (call) => {
    const list = joinedHeaderValue(call.headers, 'x-forwarded-for')
    const host = forwardedHost(list, trustedHops)
    if (host === undefined) return false
    call.client = { host, port: 0 }
    return trustedHops === 0 && list?.includes(',') === false && isInternal(host)
  }
}

/** Fields that a program must hear from nobody but us. */
const ours: ReadonlySet<string> = new Set([
  clientCertificateHeader,
  'content-length',
  'transfer-encoding',
  'x-forwarded-proto',
])

/** Many programs (CGI, WSGI, PHP) cannot tell `_` from `-` in a name: what would pass for a field of ours there goes no further. */
function passesFor(name: string): boolean {
  switch (name.length) {
    case 14:
    case 17:
    case 23:
      return name.includes('_') && ours.has(name.replaceAll('_', '-'))
    default:
      return false
  }
}

function edited(
  call: Call,
  proof: HeaderField | undefined,
  keepsProofs: boolean,
  generateRequestId: boolean,
  forwarded: ForwardedClient | undefined,
): Headers {
  const { headers, peer } = call
  const result: HeaderField[] = []
  let isForwarded = false
  let hasId = false
  let hasProto = false
  let before: string | undefined
  for (const field of headers) {
    const { name } = field
    if (name === clientCertificateHeader) {
      if (keepsProofs) before = before === undefined ? field.value : `${before},${field.value}`
      continue
    }
    if (passesFor(name)) continue
    if (name === internalHeader && forwarded !== undefined) continue
    if (name === 'x-forwarded-for') isForwarded = true
    else if (name === 'x-request-id') hasId = true
    else if (name === 'x-forwarded-proto') hasProto = true
    result.push(field)
  }
  if (isForwarded && forwarded?.(call) === true) result.push(fromWithin)
  if (!hasProto) result.push(peer.tls ? forwardedProtoTls : forwardedProto)
  if (!hasId && generateRequestId) result.push(headerField('x-request-id', randomUuid()))
  if (before !== undefined)
    result.push(headerField(clientCertificateHeader, proof === undefined ? before : `${before},${proof.value}`))
  else if (proof !== undefined) result.push(proof)
  return result
}
