import { hash } from 'node:crypto'
import { subjectText } from '../base/peer-check.ts'
import { subjectNames } from '../base/subject-names.ts'
import type { ForwardClientCert, HttpTerminal } from './config.ts'
import { clientCertificateHeader } from '../xds/names.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import type { Peer } from './http/service.ts'

/** What callers say of themselves (or of those before them) may pass. */
export function mayForward(mode: ForwardClientCert, { principal }: Peer): boolean {
  if (mode === 'always-forward-only') return true
  return principal !== undefined && (mode === 'forward-only' || mode === 'append-forward')
}

/**
 * What is added about the caller of a connection, made once for each; undefined when nothing is told, or nothing was proven. `own`: the
 * URI that our own certificate has.
 */
export function clientCertificateField(
  { forwardClientCert: mode, clientCertParts: parts }: Pick<HttpTerminal, 'forwardClientCert' | 'clientCertParts'>,
  own: () => string | undefined,
): (peer: Peer) => HeaderField | undefined {
  if (mode !== 'sanitize-set' && mode !== 'append-forward') return () => undefined
  const known = new WeakMap<Peer, HeaderField>()
  return (peer) => {
    if (peer.principal === undefined) return undefined
    let field = known.get(peer)
    if (field === undefined) {
      field = headerField(clientCertificateHeader, element(peer, own(), parts))
      known.set(peer, field)
    }
    return field
  }
}

function element(
  { principal, certificate }: Peer,
  own: string | undefined,
  parts: HttpTerminal['clientCertParts'],
): string {
  const said = own === undefined ? [] : [`By=${own}`]
  if (certificate === undefined) return [...said, `URI=${principal}`].join(';')
  said.push(`Hash=${hash('sha256', certificate, 'hex')}`)
  const names = subjectNames(certificate) ?? []
  const of = (kind: 'uri' | 'dns'): string[] => names.flatMap((name) => (name.kind === kind ? [name.value] : []))
  if (parts.includes('subject')) said.push(`Subject="${subjectText(certificate).replaceAll('"', '\\"')}"`)
  if (parts.includes('uri')) said.push(...(of('uri').length === 0 ? ['URI='] : of('uri').map((uri) => `URI=${uri}`)))
  if (parts.includes('dns')) said.push(...of('dns').map((name) => `DNS=${name}`))
  return said.join(';')
}
