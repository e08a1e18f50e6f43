import { randomUUID } from 'node:crypto'
import type { HttpTerminal } from './config.ts'
import { headerField, type HeaderField, type Headers } from './http/headers.ts'
import type { Call, Layer, Peer } from './http/service.ts'
import { normalizePath } from './route/path.ts'

const clientCertificate = 'x-forwarded-client-cert'
const forwardedProto = headerField('x-forwarded-proto', 'http')
const forwardedProtoTls = headerField('x-forwarded-proto', 'https')

/** One path for matching, policy and the program: written in one form, or refused where programs would disagree about it. */
export const normalize: Layer = (next) => (call) => {
  if (call.method === 'CONNECT') return next(call)
  const path = normalizePath(call.path)
  if (path === undefined) {
    return Promise.resolve({
      kind: 'bad-request',
      side: 'downstream',
      retry: 'never',
      status: 400,
      cause: 'the path can be read in more than one way',
    })
  }
  call.path = path
  return next(call)
}

/**
 * The fields that a hop adds: who the caller has proven to be (`x-forwarded-client-cert`; what a caller says of itself is removed in
 * any case), `x-request-id` if this is the first proxy, `x-forwarded-proto` if there is none.
 */
export function requestHeaders(
  { forwardClientCert, generateRequestId }: Pick<HttpTerminal, 'forwardClientCert' | 'generateRequestId'>,
  ownId: () => string | undefined,
): Layer {
  const proofs = new WeakMap<Peer, HeaderField>()
  const proofOf = (peer: Peer): HeaderField | undefined => {
    if (forwardClientCert === 'sanitize' || peer.principal === undefined) return undefined
    let proof = proofs.get(peer)
    if (proof === undefined) {
      proof = headerField(clientCertificate, `By=${ownId() ?? ''};URI=${peer.principal}`)
      proofs.set(peer, proof)
    }
    return proof
  }
  return (next) => (call) => {
    call.headers = edited(call, proofOf(call.peer), generateRequestId)
    return next(call)
  }
}

function edited({ headers, peer }: Call, proof: HeaderField | undefined, generateRequestId: boolean): Headers {
  const result: HeaderField[] = []
  let hasId = false
  let hasProto = false
  for (const field of headers) {
    const { name } = field
    if (name === clientCertificate) continue
    if (name === 'x-request-id') hasId = true
    else if (name === 'x-forwarded-proto') hasProto = true
    result.push(field)
  }
  if (!hasProto) result.push(peer.tls ? forwardedProtoTls : forwardedProto)
  if (!hasId && generateRequestId) result.push(headerField('x-request-id', randomUUID()))
  if (proof !== undefined) result.push(proof)
  return result
}
