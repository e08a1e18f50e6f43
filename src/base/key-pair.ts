import { createPrivateKey, X509Certificate } from 'node:crypto'

/** Why a certificate and a key cannot serve together; undefined: they can. Both PEM, the leaf first, the key without a passphrase. */
export function keyPairProblem(
  chainPem: string,
  keyPem: string,
): 'no-certificate' | 'no-key' | 'not-its-key' | undefined {
  const leaf = readCertificate(chainPem)
  if (leaf === undefined) return 'no-certificate'
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem)) ? undefined : 'not-its-key'
  } catch {
    return 'no-key'
  }
}

/** Whether a text begins with a certificate, PEM. */
export const isCertificate = (pem: string): boolean => readCertificate(pem) !== undefined

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}
