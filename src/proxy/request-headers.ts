import { randomUuid } from '../base/random-uuid.ts'
import { clientCertificateHeader } from '../xds/names.ts'
import { clientCertificateField, mayForward } from './client-certificate.ts'
import type { HttpTerminal } from './config.ts'
import { headerField, type HeaderField, type Headers } from './http/headers.ts'
import type { Call, Layer } from './http/service.ts'

const forwardedProto = headerField('x-forwarded-proto', 'http')
const forwardedProtoTls = headerField('x-forwarded-proto', 'https')

/**
 * The fields that a hop adds: who the caller has proven to be (`x-forwarded-client-cert`; what a caller says of itself is removed,
 * unless it may be forwarded), `x-request-id` if this is the first proxy, `x-forwarded-proto` if there is none.
 */
export function requestHeaders(
  terminal: Pick<HttpTerminal, 'forwardClientCert' | 'clientCertParts' | 'generateRequestId'>,
  ownId: () => string | undefined,
): Layer {
  const { forwardClientCert, generateRequestId } = terminal
  const proofOf = clientCertificateField(terminal, ownId)
  return (next) => (call) => {
    const { peer } = call
    call.headers = edited(call, proofOf(peer), mayForward(forwardClientCert, peer), generateRequestId)
    return next(call)
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
  { headers, peer }: Call,
  proof: HeaderField | undefined,
  keepsProofs: boolean,
  generateRequestId: boolean,
): Headers {
  const result: HeaderField[] = []
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
    if (name === 'x-request-id') hasId = true
    else if (name === 'x-forwarded-proto') hasProto = true
    result.push(field)
  }
  if (!hasProto) result.push(peer.tls ? forwardedProtoTls : forwardedProto)
  if (!hasId && generateRequestId) result.push(headerField('x-request-id', randomUuid()))
  if (before !== undefined)
    result.push(headerField(clientCertificateHeader, proof === undefined ? before : `${before},${proof.value}`))
  else if (proof !== undefined) result.push(proof)
  return result
}
