import type { Any } from '@bufbuild/protobuf/wkt'
import { ConfigSourceSchema } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { TransportSocket } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  CertificateValidationContextSchema,
  CertificateValidationContext_TrustChainVerification as TrustChainVerification,
  SubjectAltNameMatcher_SanType as SanType,
  TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
  type CertificateValidationContext,
  type TlsParameters,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SdsSecretConfig } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  type CommonTlsContext,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { tlsProfile } from '../../base/tls-profile.ts'
import { agentCluster, ownCertificateSecret, trustBundleSecret } from '../../xds/names.ts'
import type { PeerCheck, SubjectMatch } from '../../base/peer-check.ts'
import type { CertificateSource, DownstreamTls, TlsChoices, TrustSource, UpstreamTls } from '../config.ts'
import { decodeApiSource } from './decode-api-source.ts'
import { decodeKeyPair } from './decode-certificate.ts'
import { mustBeAds, stringMatch } from './decode-parts.ts'
import { decodeTrust } from './decode-trust.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'
import { isSdsSecret, sdsSecret } from './sds-secret.ts'

const rawBuffer = 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'

/** The configuration of a transport socket; undefined for plain text. */
function tlsConfig(socket: TransportSocket | undefined, path: string, refused: Refusals): Any | undefined {
  if (socket === undefined) return undefined
  if (socket.configType.case === 'typedConfig')
    return socket.configType.value.typeUrl === rawBuffer ? undefined : socket.configType.value
  if (socket.name !== 'envoy.transport_sockets.raw_buffer') refused.add(path, `${socket.name} has no configuration`)
  return undefined
}

const downstreamFields = fieldNames(`common_tls_context require_client_certificate disable_stateless_session_resumption
  disable_stateful_session_resumption ocsp_staple_policy full_scan_certs_on_sni_mismatch prefer_client_ciphers`)

/** TLS towards clients; undefined for plain text. */
export function decodeDownstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  refused: Refusals,
): DownstreamTls | undefined {
  const any = tlsConfig(socket, path, refused)
  const context = any && open(any, DownstreamTlsContextSchema, path, refused)
  if (context === undefined) return undefined
  knowOnly(DownstreamTlsContextSchema, context, downstreamFields, path, refused)
  const common = decodeCommon(context.commonTlsContext, join(path, 'common_tls_context'), refused)
  const required = context.requireClientCertificate ?? false
  if (common.certificate === undefined) refused.add(join(path, 'common_tls_context'), 'expected a certificate')
  if (required && common.trust === undefined)
    refused.add(join(path, 'require_client_certificate'), 'needs a validation context')
  const { certificate = 'own', moreCertificates, trust, peer, alpn, choices, acceptUntrusted } = common
  const more = moreCertificates.length === 0 ? {} : { moreCertificates }
  return {
    certificate,
    ...more,
    trust,
    peer,
    requireClientCertificate: required,
    ...(acceptUntrusted && { acceptUntrusted }),
    alpn,
    ...(choices && { choices }),
  }
}

const upstreamFields = fieldNames('common_tls_context sni max_session_keys enforce_rsa_key_usage')

/** TLS towards an endpoint; undefined for plain text. A peer that nobody vouches for is refused. */
export function decodeUpstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  refused: Refusals,
): UpstreamTls | undefined {
  const any = tlsConfig(socket, path, refused)
  const context = any && open(any, UpstreamTlsContextSchema, path, refused)
  if (context === undefined) return undefined
  knowOnly(UpstreamTlsContextSchema, context, upstreamFields, path, refused)
  const common = decodeCommon(context.commonTlsContext, join(path, 'common_tls_context'), refused)
  if (common.moreCertificates.length > 0)
    refused.add(path, 'more than one certificate is not supported towards an endpoint')
  if (common.trust === undefined) refused.add(path, 'without a validation context nobody vouches for the peer')
  if (common.acceptUntrusted === true)
    refused.add(
      path,
      'an endpoint that nobody vouches for is never believed (trust_chain_verification ACCEPT_UNTRUSTED)',
    )
  return {
    certificate: common.certificate,
    trust: common.trust ?? { pem: '' },
    peer: common.peer,
    sni: context.sni,
    alpn: common.alpn,
    ...(common.choices && { choices: common.choices }),
  }
}

interface Common {
  readonly certificate: CertificateSource | undefined
  readonly moreCertificates: readonly CertificateSource[]
  readonly trust: TrustSource | undefined
  readonly peer: PeerCheck
  readonly acceptUntrusted?: true
  readonly alpn: readonly string[]
  readonly choices?: TlsChoices
}

const anybody: PeerCheck = { kind: 'names', oneOf: [] }
const unchecked = { trust: undefined, peer: anybody }

const commonFields = fieldNames(`tls_params tls_certificates tls_certificate_sds_secret_configs validation_context
  validation_context_sds_secret_config combined_validation_context alpn_protocols`)
const paramFields = fieldNames('tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves')

function decodeCommon(context: CommonTlsContext | undefined, path: string, refused: Refusals): Common {
  if (context === undefined) return { certificate: undefined, moreCertificates: [], ...unchecked, alpn: [] }
  knowOnly(CommonTlsContextSchema, context, commonFields, path, refused)
  const [certificate, ...moreCertificates] = decodeCertificates(context, path, refused)
  if (moreCertificates.includes('own') || (certificate === 'own' && moreCertificates.length > 0))
    refused.add(path, `${ownCertificateSecret} stands alone`)
  return {
    certificate,
    moreCertificates,
    ...decodeValidation(context, path, refused),
    alpn: context.alpnProtocols,
    ...decodeChoices(context.tlsParams, join(path, 'tls_params'), refused),
  }
}

/** TLS 1.2 and 1.3, or one of them, and what they use. What is older or weaker is refused, not left out without a word. */
function decodeChoices(
  params: TlsParameters | undefined,
  path: string,
  refused: Refusals,
): { readonly choices?: TlsChoices } {
  if (params === undefined) return {}
  knowOnly(TlsParametersSchema, params, paramFields, path, refused)
  const { tlsMinimumProtocolVersion: min, tlsMaximumProtocolVersion: max } = params
  for (const [field, version] of [
    ['tls_minimum_protocol_version', min],
    ['tls_maximum_protocol_version', max],
  ] as const)
    if (version === TlsProtocol.TLSv1_0 || version === TlsProtocol.TLSv1_1)
      refused.add(join(path, field), 'nothing older than TLSv1_2 is spoken')
  if (min === TlsProtocol.TLSv1_3 && max === TlsProtocol.TLSv1_2)
    refused.add(join(path, 'tls_maximum_protocol_version'), 'is less than tls_minimum_protocol_version')
  const ciphers = chosen(params.cipherSuites, suites, join(path, 'cipher_suites'), refused)
  const ecdhCurve = chosen(params.ecdhCurves, curves, join(path, 'ecdh_curves'), refused)
  const choices: TlsChoices = {
    ...(min === TlsProtocol.TLSv1_3 && { minVersion: 'TLSv1.3' }),
    ...(max === TlsProtocol.TLSv1_2 && { maxVersion: 'TLSv1.2' }),
    // Those of TLS 1.3 are not asked about, as with Envoy.
    ...(ciphers !== undefined && { ciphers: [...suitesOfVersion13, ciphers].join(':') }),
    ...(ecdhCurve !== undefined && { ecdhCurve }),
  }
  return Object.keys(choices).length === 0 ? {} : { choices }
}

const ofVersion13 = /^TLS_/
const suitesOfVersion13 = tlsProfile.ciphers.split(':').filter((name) => ofVersion13.test(name))
/** With forward secrecy and authenticated encryption. */
const suites: ReadonlySet<string> = new Set([
  ...tlsProfile.ciphers.split(':').filter((name) => !ofVersion13.test(name)),
  'ECDHE-RSA-CHACHA20-POLY1305',
])
const curves: ReadonlySet<string> = new Set(['X25519MLKEM768', 'X25519', 'P-256', 'P-384', 'P-521'])

/** One after the other, groups of equal rank ("[a|b]") in the order given; undefined: nothing is said. */
function chosen(
  given: readonly string[],
  known: ReadonlySet<string>,
  path: string,
  refused: Refusals,
): string | undefined {
  const names = given.map((text) => text.split(/[:|[\]]/).filter((name) => name !== ''))
  for (const [index, name] of names.flatMap((list, at) => list.map((one) => [at, one] as const)))
    if (!known.has(name))
      refused.add(`${path}[${index}]`, `${name} is not supported, expected some of ${[...known].join(', ')}`)
  return given.length === 0 ? undefined : names.flat().join(':')
}

function decodeCertificates(
  { tlsCertificates: inline, tlsCertificateSdsSecretConfigs: secrets }: CommonTlsContext,
  path: string,
  refused: Refusals,
): readonly CertificateSource[] {
  const at = (list: string, index: number): string => join(path, `${list}[${index}]`)
  return [
    ...inline.flatMap((one, index) => decodeKeyPair(one, at('tls_certificates', index), refused) ?? []),
    ...secrets.map((one, index) => certificateSecret(one, at('tls_certificate_sds_secret_configs', index), refused)),
  ]
}

/** SDS from the agent's socket means the identity in memory; any other comes with the rest of the configuration. */
function certificateSecret(secret: SdsSecretConfig, path: string, refused: Refusals): CertificateSource {
  const source = secret.sdsConfig?.configSourceSpecifier
  const service = source?.case === 'apiConfigSource' ? source.value.grpcServices[0]?.targetSpecifier : undefined
  const cluster = service?.case === 'envoyGrpc' ? service.value.clusterName : undefined
  if (secret.name === ownCertificateSecret && cluster === agentCluster) return 'own'
  return secretName(secret, path, refused)
}

const sourceFields = fieldNames('api_config_source resource_api_version')

/** By ADS, or from the server of a cluster; without a source it is one of the bootstrap's own. */
function secretName(
  { name, sdsConfig }: SdsSecretConfig,
  path: string,
  refused: Refusals,
): { readonly secret: string } {
  if (name === '') refused.add(join(path, 'name'), 'is empty')
  const at = join(path, 'sds_config')
  if (sdsConfig?.configSourceSpecifier.case === 'apiConfigSource') {
    knowOnly(ConfigSourceSchema, sdsConfig, sourceFields, at, refused)
    const { value } = sdsConfig.configSourceSpecifier
    return {
      secret: sdsSecret({ cluster: decodeApiSource(value, 'GRPC', join(at, 'api_config_source'), refused), name }),
    }
  }
  if (isSdsSecret(name))
    refused.add(join(path, 'name'), 'begins as the names do that secrets of other servers have here')
  if (sdsConfig !== undefined) mustBeAds(sdsConfig, at, refused)
  return { secret: name }
}

const combinedFields = fieldNames('default_validation_context validation_context_sds_secret_config')

function decodeValidation(
  { validationContextType: by }: CommonTlsContext,
  path: string,
  refused: Refusals,
): Pick<Common, 'trust' | 'peer' | 'acceptUntrusted'> {
  switch (by.case) {
    case 'validationContext': {
      const at = join(path, 'validation_context')
      const names = decodeNames(by.value, at, refused)
      return {
        trust: { pem: decodeTrust(by.value, at, refused) },
        peer: { kind: 'names', oneOf: names },
        ...untrusted(by.value),
      }
    }
    case 'validationContextSdsSecretConfig': {
      const trust = secretName(by.value, join(path, 'validation_context_sds_secret_config'), refused)
      return { trust, peer: peerOf(trust, []) }
    }
    case 'combinedValidationContext': {
      const at = join(path, 'combined_validation_context')
      knowOnly(CommonTlsContext_CombinedCertificateValidationContextSchema, by.value, combinedFields, at, refused)
      const { defaultValidationContext: context, validationContextSdsSecretConfig: secret } = by.value
      if (context?.trustedCa !== undefined)
        refused.add(join(at, 'default_validation_context.trusted_ca'), 'is not supported beside a secret')
      if (context?.customValidatorConfig !== undefined)
        refused.add(join(at, 'default_validation_context.custom_validator_config'), 'is not supported beside a secret')
      const names = context === undefined ? [] : decodeNames(context, join(at, 'default_validation_context'), refused)
      if (secret === undefined) {
        refused.add(join(at, 'validation_context_sds_secret_config'), 'is missing')
        return unchecked
      }
      const trust = secretName(secret, join(at, 'validation_context_sds_secret_config'), refused)
      return { trust, peer: peerOf(trust, names), ...(context && untrusted(context)) }
    }
    default:
      return unchecked // refused by knowOnly, if it is there at all
  }
}

/** Whoever the mesh's own bundle vouches for has a SPIFFE ID; others have names of any kind. */
function peerOf({ secret }: { readonly secret: string }, oneOf: readonly SubjectMatch[]): PeerCheck {
  const ids = oneOf.flatMap(({ kind, match }) => (kind === 'uri' && match.kind === 'exact' ? [match.value] : []))
  return secret === trustBundleSecret && ids.length === oneOf.length
    ? { kind: 'spiffe', ids }
    : { kind: 'names', oneOf }
}

const untrusted = ({ trustChainVerification }: CertificateValidationContext): Pick<Common, 'acceptUntrusted'> =>
  trustChainVerification === TrustChainVerification.ACCEPT_UNTRUSTED ? { acceptUntrusted: true } : {}

const validationFields = fieldNames(
  'trusted_ca match_typed_subject_alt_names match_subject_alt_names trust_chain_verification custom_validator_config',
)
const kinds: Readonly<Record<number, SubjectMatch['kind']>> = {
  [SanType.URI]: 'uri',
  [SanType.DNS]: 'dns',
  [SanType.EMAIL]: 'email',
  [SanType.IP_ADDRESS]: 'ip',
}

function decodeNames(context: CertificateValidationContext, path: string, refused: Refusals): SubjectMatch[] {
  knowOnly(CertificateValidationContextSchema, context, validationFields, path, refused)
  const typed = context.matchTypedSubjectAltNames.map(({ sanType, matcher }, index) => {
    const at = join(path, `match_typed_subject_alt_names[${index}]`)
    if (kinds[sanType] === undefined) refused.add(join(at, 'san_type'), 'expected URI, DNS, EMAIL or IP_ADDRESS')
    return { kind: kinds[sanType], match: stringMatch(matcher, join(at, 'matcher'), refused) }
  })
  const untyped = context.matchSubjectAltNames.map((matcher, index) => ({
    kind: undefined,
    match: stringMatch(matcher, join(path, `match_subject_alt_names[${index}]`), refused),
  }))
  return [...typed, ...untyped]
}
