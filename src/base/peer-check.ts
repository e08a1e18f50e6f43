import { isIP } from 'node:net'
import { X509Certificate } from 'node:crypto'
import { parseSpiffeId } from './spiffe-id.ts'
import { compileStringMatch, type TextMatch } from './string-match.ts'
import { subjectNames, type SubjectName } from './subject-names.ts'

/** What a peer's certificate must say, besides that a trust bundle vouches for it. */
export type PeerCheck =
  /** Exactly one URI, and that a SPIFFE ID: one of `ids`, any when there are none. The rule of the mesh (SPIFFE X.509-SVID, section 2). */
  | { readonly kind: 'spiffe'; readonly ids: readonly string[] }
  /** One of its alternative names matches one of these; any certificate when there are none. Envoy's rule. */
  | { readonly kind: 'names'; readonly oneOf: readonly SubjectMatch[] }

/** Source: envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher; `kind` undefined: names of any kind. */
export interface SubjectMatch {
  readonly kind: SubjectName['kind'] | undefined
  readonly match: TextMatch
}

/**
 * Who a certificate (DER) proves its holder to be, or why it does not pass. Under the rule of names that is the first URI, else the
 * first DNS name, else the subject: what Envoy calls the authenticated principal name.
 */
export function checkPeer(certificate: Buffer, check: PeerCheck): string | Error {
  const names = subjectNames(certificate)
  if (names === undefined) return new Error('its certificate cannot be read')
  if (check.kind === 'spiffe') return checkSpiffe(names, check.ids)
  const { oneOf } = check
  if (oneOf.length > 0 && !oneOf.some((wanted) => names.some((name) => matches(name, wanted))))
    return new Error(`its certificate is for ${names.map(({ value }) => value).join(', ') || 'nobody by name'}`)
  const name = names.find(({ kind }) => kind === 'uri') ?? names.find(({ kind }) => kind === 'dns')
  return name?.value ?? subjectText(certificate)
}

function checkSpiffe(names: readonly SubjectName[], ids: readonly string[]): string | Error {
  const [uri, ...more] = names.flatMap(({ kind, value }) => (kind === 'uri' ? [value] : []))
  if (uri === undefined || more.length > 0)
    return new Error(`its certificate has ${uri === undefined ? 0 : 1 + more.length} URI names, not one`)
  if (ids.length > 0)
    return ids.includes(uri) ? uri : new Error(`its certificate is for ${uri}, not for ${ids.join(' or ')}`)
  return parseSpiffeId(uri) === undefined ? new Error('its certificate has no SPIFFE ID') : uri
}

/** A regex that is none matches nothing. */
function matches(name: SubjectName, { kind, match }: SubjectMatch): boolean {
  if (kind !== undefined && kind !== name.kind) return false
  if (name.kind === 'dns' && match.kind === 'exact')
    return isForHost(name.value.toLowerCase(), match.value.toLowerCase())
  return compileStringMatch(match)?.(name.value) ?? false
}

/** A first label "*" stands for any one label. Source: RFC 6125, section 6.4.3. */
const isForHost = (name: string, host: string): boolean =>
  name === host || (name.startsWith('*.') && isIP(host) === 0 && host.slice(host.indexOf('.')) === name.slice(1))

/** The subject, the most particular part first (RFC 2253); Node gives none as undefined, whatever its type says. */
export const subjectText = (certificate: Buffer): string =>
  ((new X509Certificate(certificate).subject as string | undefined) ?? '').split('\n').toReversed().join(',')
