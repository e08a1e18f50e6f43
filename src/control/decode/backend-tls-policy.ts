import {
  invalid,
  list,
  object,
  oneOf,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { label, subdomain } from './names.ts'
import { localObjectRef, type ObjectRef } from './object-ref.ts'
import { hostname } from './hostname.ts'
import { destinationGroups, destinationKind, type DestinationKind } from './service-ref.ts'

/** Gateway API BackendTLSPolicy: callers speak TLS to a service's instances, and this is how they know them. */
export interface BackendTlsPolicySpec {
  readonly targets: readonly BackendTlsTarget[]
  readonly validation: BackendTlsValidation
}

/** One of `spec.targetRefs`, in the policy's own namespace. */
export interface BackendTlsTarget {
  readonly kind: DestinationKind
  readonly name: string
  /** The name of a port; absent: every port. */
  readonly sectionName?: string
}

export interface BackendTlsValidation {
  /** What callers ask for (SNI); without `subjectAltNames` the certificate must be for it. */
  readonly hostname: string
  /** One of them must be in the certificate; empty: `hostname` must. */
  readonly subjectAltNames: readonly SubjectAltName[]
  /** `System`: whom the control plane's machine believes. */
  readonly authorities: 'System' | readonly ObjectRef[]
}
export type SubjectAltName =
  | { readonly type: 'Hostname'; readonly hostname: string }
  | { readonly type: 'URI'; readonly uri: string }

interface WrittenTarget {
  readonly group: string
  readonly kind: string
  readonly name: string
  readonly sectionName?: string
}
const target: Decoder<BackendTlsTarget> = refine(
  object<WrittenTarget>(
    { group: withDefault(string(), ''), kind: string(), name: subdomain, sectionName: optional(label) },
    { namespace: unsupported('a policy is for services of its own namespace only; write it there, and remove this') },
  ),
  ({ group, kind: written, name, sectionName }, path, issues) => {
    const kind = destinationKind({ group: group === 'core' ? '' : group, kind: written })
    if (kind !== undefined) return { kind, name, ...(sectionName === undefined ? {} : { sectionName }) }
    const got = `${JSON.stringify(written)} of group ${JSON.stringify(group)}`
    const wanted = Object.entries(destinationGroups).map(([one, of]) => `${one} (group ${JSON.stringify(of)})`)
    issues.push({ path: `${path}.kind`, message: `a target is a ${wanted.join(' or an ')}, got ${got}` })
    return invalid
  },
)

const targets: Decoder<readonly BackendTlsTarget[]> = refine(list(target, { min: 1, max: 16 }), (all, path, issues) => {
  const key = ({ kind, name, sectionName = '' }: BackendTlsTarget): string => `${kind}/${name}/${sectionName}`
  const twice = all.findIndex((one, index) => all.findIndex((other) => key(other) === key(one)) !== index)
  if (twice < 0) return all
  issues.push({ path: `${path}[${twice}]`, message: 'is there twice' })
  return invalid
})

interface WrittenName {
  readonly type: SubjectAltName['type']
  readonly hostname?: string
  readonly uri?: string
}
const uriForm = /^[a-zA-Z][a-zA-Z0-9+.-]*:\S{1,250}$/
const subjectAltName: Decoder<SubjectAltName> = refine(
  object<WrittenName>({
    type: oneOf('Hostname', 'URI'),
    hostname: optional(hostname),
    uri: optional(string({ form: uriForm, expected: 'an absolute URI such as "spiffe://shop.example/pay"' })),
  }),
  ({ type, hostname: host, uri }, path, issues) => {
    const [own, value, foreign, other] =
      type === 'Hostname' ? ['hostname', host, 'uri', uri] : ['uri', uri, 'hostname', host]
    if (value === undefined) issues.push({ path: `${path}.${own}`, message: `is needed with type ${type}` })
    if (other !== undefined) issues.push({ path: `${path}.${foreign}`, message: `means nothing with type ${type}` })
    if (value === undefined || other !== undefined) return invalid
    return type === 'Hostname' ? { type, hostname: value } : { type, uri: value }
  },
)

interface WrittenValidation {
  readonly hostname: string
  readonly subjectAltNames: readonly SubjectAltName[]
  readonly caCertificateRefs: readonly ObjectRef[]
  readonly wellKnownCACertificates?: 'System'
}
const validation: Decoder<BackendTlsValidation> = refine(
  object<WrittenValidation>({
    hostname: subdomain,
    subjectAltNames: withDefault(list(subjectAltName, { max: 5 }), []),
    caCertificateRefs: withDefault(list(localObjectRef('ConfigMap'), { max: 8 }), []),
    wellKnownCACertificates: optional(oneOf('System')),
  }),
  ({ hostname: host, subjectAltNames, caCertificateRefs: refs, wellKnownCACertificates: wellKnown }, path, issues) => {
    if (refs.length > 0 === (wellKnown !== undefined)) {
      const message =
        wellKnown === undefined
          ? 'say who vouches for the backend: caCertificateRefs, or wellKnownCACertificates: System'
          : 'stands beside caCertificateRefs; remove one of the two'
      issues.push({
        path: `${path}.${wellKnown === undefined ? 'caCertificateRefs' : 'wellKnownCACertificates'}`,
        message,
      })
      return invalid
    }
    return { hostname: host, subjectAltNames, authorities: wellKnown ?? refs }
  },
)

interface WrittenSpec {
  readonly targetRefs: readonly BackendTlsTarget[]
  readonly validation: BackendTlsValidation
}
export const backendTlsPolicySpec: Decoder<BackendTlsPolicySpec> = refine(
  object<WrittenSpec>(
    { targetRefs: targets, validation },
    { options: unsupported('there are no TLS options here: TLS 1.2 and 1.3 are spoken; remove it') },
  ),
  ({ targetRefs, validation: read }) => ({ targets: targetRefs, validation: read }),
)
