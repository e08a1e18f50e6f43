import type { ProtoWriter } from '../../base/proto-writer.ts'
import { subjectText } from '../../base/peer-check.ts'
import { uriSubjectAltNames } from '../../base/subject-names.ts'
import { peerValue } from '../format/peer-values.ts'
import type { Peer } from '../http/service.ts'

/** `tls_properties`, field 4 of the common ones, where there is TLS or a name was asked for. Source: envoy.data.accesslog.v3.TLSProperties. */
export function writeTls(writer: ProtoWriter, peer: Peer): void {
  const { secured, serverName, certificate } = peer
  if (secured === undefined && !serverName) return
  const tls = writer.open(4)
  if (secured !== undefined) {
    const version = versions[secured.version]
    if (version !== undefined) writer.number(1, version)
    const suite = writer.open(2)
    writer.number(1, suites[secured.cipher] ?? unknownSuite)
    writer.close(suite)
  }
  if (serverName) writer.text(3, serverName)
  if (secured !== undefined) {
    writeCertificate(writer, 4, secured.shown, secured.shown && subjectText(secured.shown), undefined)
    writeCertificate(writer, 5, certificate, peerValue('peer-subject', peer), peerValue('peer-issuer', peer))
  }
  writer.close(tls)
}

function writeCertificate(
  writer: ProtoWriter,
  field: number,
  certificate: Buffer | undefined,
  subject: string | undefined,
  issuer: string | undefined,
): void {
  const message = writer.open(field)
  for (const uri of (certificate && uriSubjectAltNames(certificate)) ?? []) {
    const name = writer.open(1)
    writer.text(1, uri)
    writer.close(name)
  }
  if (subject) writer.text(2, subject)
  if (issuer) writer.text(3, issuer)
  writer.close(message)
}

/** Source: TLSProperties.TLSVersion. */
const versions: Readonly<Record<string, number>> = { TLSv1: 1, 'TLSv1.1': 2, 'TLSv1.2': 3, 'TLSv1.3': 4 }

const unknownSuite = 0xffff
/** By OpenSSL's names. Source: IANA, "TLS Cipher Suites". */
const suites: Readonly<Record<string, number>> = {
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
  'ECDHE-ECDSA-AES128-GCM-SHA256': 0xc02b,
  'ECDHE-ECDSA-AES256-GCM-SHA384': 0xc02c,
  'ECDHE-RSA-AES128-GCM-SHA256': 0xc02f,
  'ECDHE-RSA-AES256-GCM-SHA384': 0xc030,
  'ECDHE-RSA-CHACHA20-POLY1305': 0xcca8,
  'ECDHE-ECDSA-CHACHA20-POLY1305': 0xcca9,
  'ECDHE-ECDSA-AES128-SHA256': 0xc023,
  'ECDHE-ECDSA-AES256-SHA384': 0xc024,
  'ECDHE-RSA-AES128-SHA256': 0xc027,
  'ECDHE-RSA-AES256-SHA384': 0xc028,
  'ECDHE-ECDSA-AES128-SHA': 0xc009,
  'ECDHE-ECDSA-AES256-SHA': 0xc00a,
  'ECDHE-RSA-AES128-SHA': 0xc013,
  'ECDHE-RSA-AES256-SHA': 0xc014,
  'AES128-GCM-SHA256': 0x9c,
  'AES256-GCM-SHA384': 0x9d,
  'AES128-SHA256': 0x3c,
  'AES256-SHA256': 0x3d,
  'AES128-SHA': 0x2f,
  'AES256-SHA': 0x35,
}
