import { hash, X509Certificate } from 'node:crypto'
import { subjectText } from '../../base/peer-check.ts'
import { subjectNames, type SubjectName } from '../../base/subject-names.ts'
import type { PeerCommand } from '../config.ts'
import type { Peer } from '../http/service.ts'

/** What the caller's certificate says, in Envoy's form; undefined: it has shown none, or it does not say that. */
export function peerValue(kind: PeerCommand, { certificate, principal }: Peer): string | undefined {
  if (certificate === undefined) return kind === 'peer-uri' ? principal : undefined
  switch (kind) {
    case 'peer-uri':
      return names(certificate, 'uri')
    case 'peer-dns':
      return names(certificate, 'dns')
    case 'peer-ip':
      return names(certificate, 'ip')
    case 'peer-email':
      return names(certificate, 'email')
    case 'peer-subject':
      return subjectText(certificate) || undefined
    case 'peer-issuer':
      return new X509Certificate(certificate).issuer.split('\n').toReversed().join(',')
    case 'peer-serial':
      return new X509Certificate(certificate).serialNumber.toLowerCase()
    case 'peer-sha256':
      return hash('sha256', certificate, 'hex')
    case 'peer-sha1':
      return hash('sha1', certificate, 'hex')
    case 'peer-certificate':
      return encodeURIComponent(new X509Certificate(certificate).toString())
  }
}

function names(certificate: Buffer, kind: SubjectName['kind']): string | undefined {
  const found = subjectNames(certificate)?.flatMap((one) => (one.kind === kind ? [one.value] : [])) ?? []
  return found.length === 0 ? undefined : found.join(',')
}

/** When it begins or ceases to hold, in ms since the epoch. */
export function peerValidity(kind: 'peer-valid-from' | 'peer-valid-until', { certificate }: Peer): number | undefined {
  if (certificate === undefined) return undefined
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  return (kind === 'peer-valid-from' ? validFromDate : validToDate).getTime()
}
