import { X509Certificate } from 'node:crypto'
import type { ProxyConfig } from './config.ts'
import type { IdentityMaterial } from './sidecar-messages.ts'

/** Maps as objects and sets as lists, all the way down, so that it can be sent as JSON. Private keys are left out. */
export function plainJson(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, one]) => [String(key), plainJson(one)]))
  if (value instanceof Set) return Array.from(value, plainJson)
  if (Array.isArray(value)) return value.map(plainJson)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, key === 'keyPem' ? '(kept secret)' : plainJson(one)]),
  )
}

/** The workload's certificate and whom it believes, without any key. */
export function certsAnswer(own: IdentityMaterial | undefined, { trust, certificates }: ProxyConfig): unknown {
  return {
    ...(own && {
      spiffeId: own.spiffeId,
      notAfter: new Date(own.notAfterMs).toISOString(),
      chain: certificatesIn(own.chainPem),
    }),
    trust: Object.fromEntries(Array.from(trust, ([name, pem]) => [name, certificatesIn(pem)])),
    certificates: Object.fromEntries(Array.from(certificates, ([name, pair]) => [name, certificatesIn(pair.chainPem)])),
  }
}

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function certificatesIn(pem: string): unknown[] {
  return Array.from(pem.matchAll(certificate), ([one]) => {
    try {
      const { subject, subjectAltName, issuer, serialNumber, validFrom, validTo, fingerprint256 } = new X509Certificate(
        one,
      )
      return { subject, subjectAltName, issuer, serialNumber, validFrom, validTo, fingerprint256 }
    } catch {
      return { unreadable: true }
    }
  })
}
