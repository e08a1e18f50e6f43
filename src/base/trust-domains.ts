import { X509Certificate } from 'node:crypto'
import { certificateBlocks } from './pem-certificates.ts'
import type { DetailedPeerCertificate } from 'node:tls'
import { uriSubjectAltNames } from './subject-names.ts'

/** Bundles (PEM) by trust domain of SPIFFE: whom to believe about whom. */
export type TrustDomains = ReadonlyMap<string, readonly X509Certificate[]>

const heading = /^# SPIFFE trust domain: (\S+)\n/gm

/** Bundles by trust domain as one text. OpenSSL reads over what stands between certificates; `trustDomainsIn` does not. */
export const joinTrustDomains = (bundles: ReadonlyMap<string, string>): string =>
  Array.from(bundles, ([domain, pem]) => `# SPIFFE trust domain: ${domain}\n${pem.trimEnd()}\n`).join('')

/** Undefined: all of it vouches for whomever it likes. */
export function trustDomainsIn(text: string): TrustDomains | undefined {
  const parts = text.split(heading)
  if (parts.length === 1) return undefined
  const domains = new Map<string, readonly X509Certificate[]>()
  for (let at = 1; at < parts.length; at += 2) domains.set(parts[at] ?? '', certificatesIn(parts[at + 1] ?? ''))
  return domains
}

const certificatesIn = (pem: string): X509Certificate[] => certificateBlocks(pem).map((one) => new X509Certificate(one))

/** What a peer showed (DER), its own certificate first, and whoever OpenSSL found above; in `getPeerCertificate(true)`'s form. */
export function shownChain(first: DetailedPeerCertificate): readonly Buffer[] {
  const chain: Buffer[] = []
  // The last one is its own issuer, or has none, whatever its type says.
  for (
    let one: Partial<DetailedPeerCertificate> | undefined = first;
    one?.raw !== undefined;
    one = one.issuerCertificate
  ) {
    const { raw } = one
    if (chain.length === longestChain || chain.some((known) => known.equals(raw))) break
    chain.push(raw)
  }
  return chain
}

const longestChain = 16
const spiffeForm = /^spiffe:\/\/([a-z0-9._-]{1,255})\/[^?#]+$/

/**
 * Why a chain that somebody vouches for is not vouched for by the domain that its certificate names; undefined: it is. The certificate has
 * exactly one URI, a SPIFFE ID, and only that domain's bundle counts: one domain cannot speak for another. Dates, uses and lengths have
 * been looked at by OpenSSL, with all bundles together. Source: SPIFFE X.509-SVID, section 5; Envoy, SPIFFECertValidatorConfig.
 */
export function checkTrustDomain(chain: readonly Buffer[], domains: TrustDomains, nowMs: number): Error | undefined {
  const [own, ...others] = chain
  const uris = own && uriSubjectAltNames(own)
  const domain = uris?.length === 1 ? spiffeForm.exec(uris[0] ?? '')?.[1] : undefined
  if (own === undefined || domain === undefined) return new Error('its certificate has no SPIFFE ID')
  if (new X509Certificate(own).ca) return new Error('its certificate is that of an authority')
  const bundle = domains.get(domain)
  if (bundle === undefined) return new Error(`nobody is believed about trust domain ${domain}`)
  return vouchedFor([own, ...others], bundle, nowMs)
    ? undefined
    : new Error(`trust domain ${domain} does not vouch for its certificate`)
}

/** Upwards, as far as one authority vouches for the next. */
function vouchedFor(chain: readonly Buffer[], bundle: readonly X509Certificate[], nowMs: number): boolean {
  const roots = bundle.filter((one) => isCurrent(one, nowMs))
  let below: X509Certificate | undefined
  for (const raw of chain) {
    const one = new X509Certificate(raw)
    if (below !== undefined && !(one.ca && isCurrent(one, nowMs) && issued(one, below))) return false
    if (roots.some((root) => issued(root, one))) return true
    below = one
  }
  return false
}

const issued = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

const isCurrent = ({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean =>
  validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime()
