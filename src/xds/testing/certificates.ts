import '../../ca/reflect-metadata.ts'
import { systemClock } from '../../base/clock.ts'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A root of a test's own. */
export interface TestAuthority {
  readonly caPem: string
  /** "sha256:<hex>" of the root. */
  readonly rootHash: string
  /** A leaf with this URI, the root sent along. */
  issue(uri: string, options?: { notAfter?: Date }): Promise<{ keyPem: string; chainPem: string }>
}

/** ECDSA P-256, a day long. */
export async function testAuthority(): Promise<TestAuthority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const notBefore = new Date(systemClock.wallMs() - 60_000)
  const dayAhead = new Date(systemClock.wallMs() + 86_400_000)
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=test root',
    notBefore,
    notAfter: dayAhead,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', root.rawData)).toString('hex')
  let serial = 2
  return {
    caPem: root.toString('pem'),
    rootHash: `sha256:${digest}`,
    async issue(uri, { notAfter = dayAhead } = {}) {
      const leafKeys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: `0${serial++}`,
        issuer: root.subject,
        notBefore: new Date(Math.min(notBefore.getTime(), notAfter.getTime() - 1000)),
        notAfter,
        signingAlgorithm: algorithm,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        ],
      })
      const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey)).toString('base64')
      return {
        keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
        chainPem: `${leaf.toString('pem')}\n${root.toString('pem')}\n`,
      }
    },
  }
}
