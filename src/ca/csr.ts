import { generateKeyPair, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { bitString, emptyContext, objectIdentifier, sequence, zero } from './der.ts'

/** 1.2.840.10045.4.3.2, ecdsa-with-SHA256. Source: RFC 5758, section 3.2. */
const ecdsaWithSha256 = sequence(objectIdentifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))

/** A fresh private key and the request to certify it. */
export interface KeyAndCsr {
  /** PKCS#8, PEM. Never leaves the workload's own processes. */
  readonly keyPem: string
  /** PKCS#10, DER. */
  readonly csrDer: Buffer
}

/**
 * A new ECDSA P-256 key and a request for it with an empty subject: the authority takes the key alone, the name comes from who asks.
 * Written by hand, so that a workload's processes load no certificate library. Source: RFC 2986, section 4.
 */
export async function createKeyAndCsr(): Promise<KeyAndCsr> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'prime256v1' })
  const subject = sequence()
  const noAttributes = emptyContext(0)
  const info = sequence(zero, subject, publicKey.export({ type: 'spki', format: 'der' }), noAttributes)
  return {
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    csrDer: sequence(info, ecdsaWithSha256, bitString(sign('sha256', info, privateKey))),
  }
}
