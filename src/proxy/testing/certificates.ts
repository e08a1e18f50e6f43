import '../../ca/reflect-metadata.ts'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { IdentityMaterial } from '../sidecar-messages.ts'

const weakAlgorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 1024,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A throw-away authority for tests and benchmarks. */
export interface TestAuthority {
  readonly bundlePem: string
  /** A leaf for these URI names (usually one SPIFFE ID; `dns:` and `ip:` in front make names of those kinds), valid from now − 1 h until `validForMs` from now (may be in the past). */
  issue(uris: string | readonly string[], validForMs?: number): Promise<IdentityMaterial>
  /** The same with a key that nobody should use any more: RSA of 1024 bits. */
  issueWeak(name: string): Promise<IdentityMaterial>
  /** The same as `issue` by an authority below it, whose certificate is in the chain. */
  issueBelow(uris: string | readonly string[]): Promise<IdentityMaterial>
}

interface Issuer {
  readonly issuer: x509.X509Certificate
  readonly issuerKeys: webcrypto.CryptoKeyPair
  /** Its own chain, without the root. */
  readonly above: string
}

/** Makes a new root. */
export async function createTestAuthority(): Promise<TestAuthority> {
  x509.cryptoProvider.set(webcrypto as unknown as Crypto)
  const keys = await newKeys()
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=test root',
    notBefore: new Date(Date.now() - 7_200_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      // All these roots have one name: only so are they told apart.
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const bundlePem = root.toString('pem')
  let serial = 1
  const issueFor = async (
    own: webcrypto.CryptoKeyPair,
    uris: string | readonly string[],
    validForMs: number,
    { issuer, issuerKeys, above }: Issuer = { issuer: root, issuerKeys: keys, above: '' },
  ): Promise<IdentityMaterial> => {
    const names = typeof uris === 'string' ? [uris] : uris
    const notAfterMs = Date.now() + validForMs
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: (++serial).toString(16).padStart(4, '0'),
      subject: '',
      issuer: issuer.subject,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(notAfterMs),
      signingKey: issuerKeys.privateKey,
      publicKey: own.publicKey,
      signingAlgorithm: algorithm,
      extensions: [
        await x509.AuthorityKeyIdentifierExtension.create(issuerKeys.publicKey),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.SubjectAlternativeNameExtension(names.map(alternativeName), true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth as string,
          x509.ExtendedKeyUsage.clientAuth as string,
        ]),
      ],
    })
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', own.privateKey)
    return {
      spiffeId: names[0] ?? '',
      keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
      chainPem: `${leaf.toString('pem')}${above}`,
      trustBundlePem: bundlePem,
      notAfterMs,
    }
  }
  return {
    bundlePem,
    issue: async (uris, validForMs = 3_600_000) => issueFor(await newKeys(), uris, validForMs),
    async issueBelow(uris) {
      const issuerKeys = await newKeys()
      const issuer = await x509.X509CertificateGenerator.create({
        serialNumber: (++serial).toString(16).padStart(4, '0'),
        subject: 'CN=test intermediate',
        issuer: root.subject,
        notBefore: new Date(Date.now() - 3_600_000),
        notAfter: new Date(Date.now() + 3_600_000),
        signingKey: keys.privateKey,
        publicKey: issuerKeys.publicKey,
        signingAlgorithm: algorithm,
        extensions: [
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
          await x509.SubjectKeyIdentifierExtension.create(issuerKeys.publicKey),
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        ],
      })
      const above = `\n${issuer.toString('pem')}`
      return issueFor(await newKeys(), uris, 3_600_000, { issuer, issuerKeys, above })
    },
    issueWeak: async (name) => issueFor(await newKeys(weakAlgorithm), name, 3_600_000),
  }
}

function alternativeName(name: string): { type: 'url' | 'dns' | 'ip'; value: string } {
  const [, type, value] = /^(dns|ip):(.*)$/.exec(name) ?? []
  return type === undefined ? { type: 'url', value: name } : { type: type === 'dns' ? 'dns' : 'ip', value: value ?? '' }
}

const newKeys = async (of: object & { name: string } = algorithm): Promise<webcrypto.CryptoKeyPair> =>
  (await webcrypto.subtle.generateKey(of as typeof algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
