import {
  invalid,
  mismatch,
  object,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { subdomain } from './names.ts'
import { pemCertificates } from '../../base/pem-certificates.ts'

/** TLS that the mesh speaks to hosts outside of it for its programs. Names as in Gateway API's BackendTLSPolicy and Istio's ClientTLSSettings. */
export interface ExternalTlsSpec {
  /** TLS server name, which the certificate must be for; absent: the first host that is a name. */
  readonly sni?: string
  /** `System`: whom the control plane's machine believes; else certificates, PEM. */
  readonly caCertificates: string
}

const authorities: Decoder<string> = refine(string(), (text, path, issues) => {
  if (text === 'System') return text
  const found = pemCertificates(text)
  if ('pem' in found) return found.pem
  if (found.problem === 'none') return mismatch(issues, path, '"System" or certificates in PEM', text.slice(0, 40))
  issues.push({ path, message: `its certificate ${found.problem} cannot be read` })
  return invalid
})

export const externalTlsSpec: Decoder<ExternalTlsSpec> = object<ExternalTlsSpec>(
  { sni: optional(subdomain), caCertificates: withDefault(authorities, 'System') },
  {
    insecureSkipVerify: unsupported('nobody is believed without proof; put the certificate into caCertificates'),
    clientCertificate: unsupported('certificates of programs towards hosts outside are not supported yet'),
    subjectAltNames: unsupported('the certificate must be for sni'),
    mode: unsupported('tls stands for TLS by the mesh; remove this'),
  },
)
