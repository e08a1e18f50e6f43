import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { tlsProfile } from '../../base/tls-profile.ts'
import type { DataSource } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  TlsCertificateSchema,
  type CertificateValidationContext,
  type TlsCertificate,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { KeyPair } from '../config.ts'
import { inlineText } from './decode-source.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const pairFields = fieldNames('certificate_chain private_key')

/** A chain and the key of its first certificate; undefined, and refused, if they do not fit. */
export function decodeKeyPair(certificate: TlsCertificate, path: string, refused: Refusals): KeyPair | undefined {
  knowOnly(TlsCertificateSchema, certificate, pairFields, path, refused)
  const chainPem = inlineText(certificate.certificateChain, join(path, 'certificate_chain'), refused)
  const keyPem = inlineText(certificate.privateKey, join(path, 'private_key'), refused)
  const first = chainPem === undefined ? undefined : readPem(chainPem)
  if (chainPem === undefined || first === undefined) {
    refused.add(join(path, 'certificate_chain'), 'holds no certificate')
    return undefined
  }
  if (keyPem === undefined || !isKeyOf(first, keyPem)) {
    refused.add(join(path, 'private_key'), 'is no key of this certificate, PEM and without a password')
    return undefined
  }
  const problem = unusable(chainPem, keyPem)
  if (problem !== undefined) {
    refused.add(path, problem)
    return undefined
  }
  return { chainPem, keyPem, notAfterMs: first.validToDate.getTime() }
}

/** The certificates of a validation context, PEM. */
export const decodeTrustedCa = (
  { trustedCa }: CertificateValidationContext,
  contextPath: string,
  refused: Refusals,
): string => decodeBundle(trustedCa, join(contextPath, 'trusted_ca'), refused)

/** One or more certificates, PEM; nothing, and refused, where there are none. */
export function decodeBundle(source: DataSource | undefined, path: string, refused: Refusals): string {
  const pem = inlineText(source, path, refused) ?? ''
  if (readPem(pem) === undefined) refused.add(path, 'holds no certificate')
  return pem
}

/** Why OpenSSL will not have it, in its words: too weak a key, a broken certificate further down. It would throw at the first handshake. */
function unusable(cert: string, key: string): string | undefined {
  try {
    createSecureContext({ ...tlsProfile, cert, key })
    return undefined
  } catch (error) {
    return `cannot be used: ${error instanceof Error ? error.message.replace(/^.*::/, '') : String(error)}`
  }
}

function readPem(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function isKeyOf(certificate: X509Certificate, keyPem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}
