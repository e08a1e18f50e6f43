import { invalid, list, object, oneOf, optional, refine, withDefault, type Decoder } from '../../base/decode.ts'
import { portNumber } from './names.ts'
import { objectRef, type ObjectRef } from './object-ref.ts'

/** Gateway API `spec.tls` of a Gateway: certificates of its clients, and its own towards backends. */
export interface GatewayTlsSpec {
  /** Shown to backends that ask for one. */
  readonly clientCertificate?: ObjectRef
  readonly frontend: FrontendTlsSpec
}

/** What clients of listeners that end TLS must show; absent: nothing. */
export interface FrontendTlsSpec {
  readonly default?: ClientValidationSpec
  readonly perPort: readonly { readonly port: number; readonly validation?: ClientValidationSpec }[]
}

export interface ClientValidationSpec {
  /** Authorities of which one must vouch for a client. */
  readonly caCertificateRefs: readonly ObjectRef[]
  /** `AllowInsecureFallback`: who shows nothing, or nothing that is good, comes in all the same, as nobody. */
  readonly mode: 'AllowValidOnly' | 'AllowInsecureFallback'
}

interface Validated {
  readonly validation?: ClientValidationSpec
}
const validated = object<Validated>({
  validation: optional(
    object<ClientValidationSpec>({
      caCertificateRefs: list(objectRef('ConfigMap'), { min: 1, max: 8 }),
      mode: withDefault(oneOf('AllowValidOnly', 'AllowInsecureFallback'), 'AllowValidOnly'),
    }),
  ),
})

interface PortTls {
  readonly port: number
  readonly tls: Validated
}
const perPort: Decoder<readonly PortTls[]> = refine(
  list(object<PortTls>({ port: portNumber, tls: validated }), { max: 64 }),
  (all, path, issues) => {
    const twice = all.findIndex(({ port }, index) => all.findIndex((other) => other.port === port) !== index)
    if (twice < 0) return all
    issues.push({ path: `${path}[${twice}].port`, message: `port ${all[twice]?.port} is there twice` })
    return invalid
  },
)

const frontend: Decoder<FrontendTlsSpec> = refine(
  object<{ readonly default: Validated; readonly perPort: readonly PortTls[] }>({
    default: validated,
    perPort: withDefault(perPort, []),
  }),
  ({ default: wide, perPort: ports }) => ({
    ...(wide.validation && { default: wide.validation }),
    perPort: ports.map(({ port, tls }) => ({ port, ...tls })),
  }),
)

const backend = object<{ readonly clientCertificateRef?: ObjectRef }>({
  clientCertificateRef: optional(objectRef('Secret')),
})

export const gatewayTlsSpec: Decoder<GatewayTlsSpec> = refine(
  object<{ readonly backend?: { readonly clientCertificateRef?: ObjectRef }; readonly frontend: FrontendTlsSpec }>({
    backend: optional(backend),
    frontend: withDefault(frontend, { perPort: [] }),
  }),
  ({ backend: towards, frontend: from }) => ({
    ...(towards?.clientCertificateRef && { clientCertificate: towards.clientCertificateRef }),
    frontend: from,
  }),
)
