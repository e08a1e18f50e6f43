import { constants, X509Certificate } from 'node:crypto'
import type tls from 'node:tls'
import { tlsProfile } from '../../base/tls-profile.ts'
import { uriSubjectAltNames } from '../../base/subject-names.ts'

/**
 * What the endpoint shows and whom it believes. The root stands at the end of the chain, although TLS does not need it: a client that
 * joins by token knows only the root's hash. No session tickets: a resumed session would not be checked against the new bundle.
 */
export function serverContext(
  { keyPem, chainPem }: { keyPem: string; chainPem: string },
  clientTrustPem: string,
): tls.SecureContextOptions {
  return {
    key: keyPem,
    cert: withRoot(chainPem, clientTrustPem),
    ca: pemCertificates(clientTrustPem),
    ...tlsProfile,
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/** The peer's SPIFFE ID, nothing for a peer without a certificate, or why its certificate is not believed. */
export function peerIdentity(socket: tls.TLSSocket): { spiffeId?: string } | { refused: string } {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return {}
  if (!socket.authorized) return { refused: String(socket.authorizationError) }
  const uris = uriSubjectAltNames(certificate.raw) ?? []
  const [spiffeId] = uris
  // Source: X.509-SVID, section 2: exactly one URI SAN.
  if (spiffeId === undefined || uris.length !== 1 || !spiffeId.startsWith('spiffe://')) {
    return { refused: 'the certificate does not carry exactly one SPIFFE ID' }
  }
  return { spiffeId }
}

function withRoot(chainPem: string, trustPem: string): string {
  const last = pemCertificates(chainPem).at(-1)
  if (last === undefined) return chainPem
  const certificate = new X509Certificate(last)
  if (certificate.checkIssued(certificate)) return chainPem
  const root = pemCertificates(trustPem).find((one) => certificate.checkIssued(new X509Certificate(one)))
  return root === undefined ? chainPem : `${chainPem.trimEnd()}\n${root}\n`
}

const pemCertificates = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
