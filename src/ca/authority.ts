import { createHash, createPublicKey, generateKeyPairSync, KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import './reflect-metadata.ts'
import * as x509 from '@peculiar/x509'
import { backdatedMs, openRoot, randomSerial, signing, type Root } from './root-file.ts'

/** A certificate for a key that its owner keeps. */
export interface SignedCertificate {
  /** Leaf first, then intermediates (there are none); never the root. PEM. */
  readonly chainPem: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** A certificate of the control plane's own, with its key. */
export interface IssuedCertificate extends SignedCertificate {
  readonly keyPem: string
}

/** Who a server certificate is for: the identity that joiners check, and names for clients that check host names. */
export interface ServerNames {
  readonly spiffeId: string
  readonly dnsNames: readonly string[]
  readonly ips: readonly string[]
}

/** Issues identities. The key stays inside. */
export interface CertificateAuthority {
  readonly trustDomain: string
  /** Every root that is trusted now, PEM. */
  readonly trustBundlePem: Watchable<string>
  /** "sha256:" and the lower-case hex of the root certificate's DER: what a joiner pins. */
  readonly rootHash: string
  /** Takes only the key from the request (PKCS#10, DER): the caller has settled who it is. Refused unless signed by a P-256 key. */
  signWorkload(csrDer: Uint8Array, spiffeId: string): Promise<SignedCertificate | { readonly refused: string }>
  /** `chainPem` ends with the root, since joiners that know only its hash must see it. */
  issueServer(names: ServerNames): Promise<IssuedCertificate>
}

/** PKCS#10 requests over P-256 have about 200 bytes; what is much larger is not parsed. */
const csrLimitBytes = 4096

/**
 * The authority whose root lives in `dir` (made on first start). `leafTtlMs`: life of each certificate. A damaged or unfit root is
 * refused with a sentence for the person who starts the control plane.
 */
export async function openCertificateAuthority(parts: {
  readonly dir: string
  readonly trustDomain: string
  readonly clock: Clock
  readonly leafTtlMs: number
  readonly log: Log
}): Promise<CertificateAuthority | { readonly refused: string }> {
  const root = await openRoot(parts)
  if ('refused' in root) return root
  const hash = createHash('sha256').update(root.certificate.raw).digest('hex')
  parts.log.debug('certificate authority opened', { root: hash.slice(0, 16), until: root.certificate.validTo })
  return certificateAuthority(root, `sha256:${hash}`, parts)
}

function certificateAuthority(
  root: Root,
  rootHash: string,
  { trustDomain, clock, leafTtlMs }: { trustDomain: string; clock: Clock; leafTtlMs: number },
): CertificateAuthority {
  const rootPem = root.certificate.toString()
  const issuer = new x509.X509Certificate(root.certificate.raw)
  const signingKey = root.key.toCryptoKey(signing, false, ['sign'])
  const issue = async (key: KeyObject, names: x509.JsonGeneralNames): Promise<SignedCertificate> => {
    const life = lifeOf(leafTtlMs, clock.wallMs(), Date.parse(root.certificate.validTo))
    const publicKey = key.toCryptoKey(signing, true, ['verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: '',
      issuer: issuer.subjectName,
      notBefore: new Date(life.notBeforeMs),
      notAfter: new Date(life.notAfterMs),
      publicKey,
      signingKey,
      signingAlgorithm: signing,
      extensions: await leafExtensions(names, publicKey, issuer),
    })
    return { chainPem: `${certificate.toString('pem')}\n`, ...life }
  }
  return {
    trustDomain,
    trustBundlePem: settable(rootPem),
    rootHash,
    async signWorkload(csrDer, spiffeId) {
      const key = await keyOfRequest(csrDer)
      return key instanceof KeyObject ? issue(key, [{ type: 'url', value: spiffeId }]) : key
    },
    async issueServer({ spiffeId, dnsNames, ips }) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      const signed = await issue(publicKey, [
        { type: 'url', value: spiffeId },
        ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...ips.filter((ip) => isIP(ip) !== 0).map((value) => ({ type: 'ip' as const, value })),
      ])
      const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' })
      return { ...signed, chainPem: signed.chainPem + rootPem, keyPem }
    },
  }
}

/**
 * Whole seconds, as certificates count. Begins five minutes ago, or one whole life ago for short lives; never outlives the root.
 */
export function lifeOf(ttlMs: number, nowMs: number, rootEndsMs: number): { notBeforeMs: number; notAfterMs: number } {
  const seconds = (ms: number): number => Math.floor(ms / 1000) * 1000
  return {
    notBeforeMs: seconds(nowMs - Math.min(backdatedMs, ttlMs)),
    notAfterMs: seconds(Math.min(nowMs + ttlMs, rootEndsMs)),
  }
}

/** An X.509-SVID: empty subject, so the names are critical (RFC 5280, 4.2.1.6). Source: SPIFFE X509-SVID, sections 4 and 5. */
async function leafExtensions(
  names: x509.JsonGeneralNames,
  publicKey: Parameters<typeof x509.SubjectKeyIdentifierExtension.create>[0],
  issuer: x509.X509Certificate,
): Promise<x509.Extension[]> {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  return [
    new x509.SubjectAlternativeNameExtension(names, true),
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ]
}

/** The request's key, once its signature shows that the sender holds the private half. Any bytes may come in. */
async function keyOfRequest(der: Uint8Array): Promise<KeyObject | { refused: string }> {
  const refused = (why: string): { refused: string } => ({ refused: `the certificate request ${why}` })
  if (der.length === 0) return refused('is missing')
  if (der.length > csrLimitBytes) return refused(`has ${der.length} bytes, at most ${csrLimitBytes} are read`)
  try {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der))
    const spki = Buffer.from(request.publicKey.rawData)
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      return refused('is not for an ECDSA P-256 key')
    }
    return (await request.verify()) ? key : refused('is not signed by its own key')
  } catch {
    return refused('is not a PKCS#10 request in DER')
  }
}
