import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import './reflect-metadata.ts'
import * as x509 from '@peculiar/x509'
import { createSecretFile, ensureSecretDirectory, readSecretFile } from './secret-file.ts'

/** ECDSA over P-256 with SHA-256, as WebCrypto names it. */
export const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/** How long before now a certificate begins, for clocks that are behind. */
export const backdatedMs: number = 5 * 60_000
const rootLifeMs = 10 * 365 * 24 * 3_600_000

/** A root certificate and its key. */
export interface Root {
  readonly key: KeyObject
  readonly certificate: X509Certificate
}

/** A serial number of 127 random bits: positive, never all zero. Source: RFC 5280, section 4.1.2.2. */
export function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/**
 * The root in `dir/root.pem` (key and certificate in one file, so that one is never without the other), made on first use.
 * Refused when the file is damaged, expired, readable by others or of another trust domain: a new root would cut off every workload,
 * so a person has to decide that.
 */
export async function openRoot(parts: {
  readonly dir: string
  readonly trustDomain: string
  readonly clock: Clock
}): Promise<Root | { readonly refused: string }> {
  const file = path.join(parts.dir, 'root.pem')
  ensureSecretDirectory(parts.dir)
  const found = readSecretFile(file)
  if (found.kind === 'absent') createSecretFile(file, await newRootPem(parts))
  const read = found.kind === 'absent' ? readSecretFile(file) : found
  if (read.kind === 'refused') return { refused: `the certificate authority's key: ${read.why}` }
  const refused = (why: string): { refused: string } => ({
    refused: `the certificate authority in ${file} ${why}; restore it from a copy, or remove it to begin with a new root (every workload then joins again)`,
  })
  if (read.kind === 'absent') return refused('vanished while it was opened')
  const root = parseRoot(read.text)
  if (root === undefined) return refused('is damaged')
  const why = unfitRoot(root, parts)
  return why === undefined ? root : refused(why)
}

function parseRoot(pem: string): Root | undefined {
  try {
    return { key: createPrivateKey(pem), certificate: new X509Certificate(pem.slice(pem.indexOf('-----BEGIN CERT'))) }
  } catch {
    return undefined
  }
}

function unfitRoot(
  { key, certificate }: Root,
  { trustDomain, clock }: { trustDomain: string; clock: Clock },
): string | undefined {
  if (!certificate.checkPrivateKey(key)) return 'holds a key and a certificate that do not belong together'
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) return 'is no self-signed root'
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return 'has a key that is not ECDSA P-256'
  const expiresMs = Date.parse(certificate.validTo)
  if (expiresMs <= clock.wallMs()) return `expired on ${certificate.validTo}`
  const own = `URI:spiffe://${trustDomain}`
  if (certificate.subjectAltName !== own) return `is for ${certificate.subjectAltName ?? 'no trust domain'}, not ${own}`
  return undefined
}

async function newRootPem({ trustDomain, clock }: { trustDomain: string; clock: Clock }): Promise<string> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const keys = {
    publicKey: pair.publicKey.toCryptoKey(signing, true, ['verify']),
    privateKey: pair.privateKey.toCryptoKey(signing, true, ['sign']),
  }
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `O=Weft, CN=${trustDomain} root`,
    notBefore: new Date(clock.wallMs() - backdatedMs),
    notAfter: new Date(clock.wallMs() + rootLifeMs),
    keys,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return `${pair.privateKey.export({ type: 'pkcs8', format: 'pem' })}${certificate.toString('pem')}\n`
}
