import { createPrivateKey, X509Certificate } from 'node:crypto'

/** Why a certificate and a key cannot serve together; undefined: they can. Both PEM, the leaf first, the key without a passphrase. */
export function keyPairProblem(
  chainPem: string,
  keyPem: string,
): 'no-certificate' | 'no-key' | 'not-its-key' | undefined {
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(chainPem)
  } catch {
    return 'no-certificate'
  }
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem)) ? undefined : 'not-its-key'
  } catch {
    return 'no-key'
  }
}
