import type { Any } from '@bufbuild/protobuf/wkt'
import type { TransportSocket } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as SanType,
  TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
  type CertificateValidationContext,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SdsSecretConfig } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  type CommonTlsContext,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { agentCluster, ownCertificateSecret } from '../../xds/names.ts'
import type { DownstreamTls, UpstreamTls } from '../config.ts'
import { mustBeAds } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

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
  if (!common.ownCertificate) refused.add(path, `expected the certificate ${ownCertificateSecret}`)
  if (common.names.length > 0) refused.add(path, 'subject alternative names of clients are not supported')
  if (required && common.trust === undefined)
    refused.add(join(path, 'require_client_certificate'), 'needs a validation context')
  return { certificate: 'own', trust: common.trust, requireClientCertificate: required, alpn: common.alpn }
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
  if (common.trust === undefined) refused.add(path, 'without a validation context nobody vouches for the peer')
  return {
    certificate: common.ownCertificate ? 'own' : undefined,
    trust: common.trust ?? '',
    subjectAltNames: common.names,
    sni: context.sni,
    alpn: common.alpn,
  }
}

interface Common {
  readonly ownCertificate: boolean
  readonly trust: string | undefined
  readonly names: readonly string[]
  readonly alpn: readonly string[]
}

const commonFields = fieldNames(`tls_params tls_certificate_sds_secret_configs validation_context_sds_secret_config
  combined_validation_context alpn_protocols`)
const paramFields = fieldNames('tls_minimum_protocol_version tls_maximum_protocol_version')

function decodeCommon(context: CommonTlsContext | undefined, path: string, refused: Refusals): Common {
  if (context === undefined) return { ownCertificate: false, trust: undefined, names: [], alpn: [] }
  knowOnly(CommonTlsContextSchema, context, commonFields, path, refused)
  const { tlsParams: params } = context
  if (params !== undefined) {
    const at = join(path, 'tls_params')
    knowOnly(TlsParametersSchema, params, paramFields, at, refused)
    if (params.tlsMinimumProtocolVersion === TlsProtocol.TLSv1_3)
      refused.add(
        join(at, 'tls_minimum_protocol_version'),
        'TLSv1_3 is not supported, TLS 1.2 is the least we can ask for',
      )
    const max = params.tlsMaximumProtocolVersion
    if (max !== TlsProtocol.TLS_AUTO && max !== TlsProtocol.TLSv1_3)
      refused.add(join(at, 'tls_maximum_protocol_version'), 'less than TLSv1_3 is not supported')
  }
  const certificates = context.tlsCertificateSdsSecretConfigs
  for (const [index, secret] of certificates.entries())
    mustBeOwn(secret, join(path, `tls_certificate_sds_secret_configs[${index}]`), refused)
  return {
    ownCertificate: certificates.length > 0,
    ...decodeValidation(context, path, refused),
    alpn: context.alpnProtocols,
  }
}

/** The workload's own certificate is the only one that we hold: SDS from the agent's socket means the identity in memory. */
function mustBeOwn({ name, sdsConfig }: SdsSecretConfig, path: string, refused: Refusals): void {
  const source = sdsConfig?.configSourceSpecifier
  const service = source?.case === 'apiConfigSource' ? source.value.grpcServices[0]?.targetSpecifier : undefined
  const cluster = service?.case === 'envoyGrpc' ? service.value.clusterName : undefined
  if (name !== ownCertificateSecret || cluster !== agentCluster)
    refused.add(path, `${name} is not supported, expected ${ownCertificateSecret} from cluster ${agentCluster}`)
}

const combinedFields = fieldNames('default_validation_context validation_context_sds_secret_config')
const validationFields = fieldNames('match_typed_subject_alt_names')

function decodeValidation(
  { validationContextType: by }: CommonTlsContext,
  path: string,
  refused: Refusals,
): Pick<Common, 'trust' | 'names'> {
  switch (by.case) {
    case 'validationContextSdsSecretConfig':
      return { trust: bundleName(by.value, join(path, 'validation_context_sds_secret_config'), refused), names: [] }
    case 'combinedValidationContext': {
      const at = join(path, 'combined_validation_context')
      knowOnly(CommonTlsContext_CombinedCertificateValidationContextSchema, by.value, combinedFields, at, refused)
      const { defaultValidationContext: context, validationContextSdsSecretConfig: secret } = by.value
      if (secret === undefined) refused.add(join(at, 'validation_context_sds_secret_config'), 'is missing')
      return {
        trust: secret && bundleName(secret, join(at, 'validation_context_sds_secret_config'), refused),
        names: context === undefined ? [] : decodeNames(context, join(at, 'default_validation_context'), refused),
      }
    }
    default:
      return { trust: undefined, names: [] } // refused by knowOnly, if it is there at all
  }
}

function bundleName({ name, sdsConfig }: SdsSecretConfig, path: string, refused: Refusals): string {
  if (name === '') refused.add(join(path, 'name'), 'is empty')
  mustBeAds(sdsConfig, join(path, 'sds_config'), refused)
  return name
}

function decodeNames(context: CertificateValidationContext, path: string, refused: Refusals): string[] {
  knowOnly(CertificateValidationContextSchema, context, validationFields, path, refused)
  return context.matchTypedSubjectAltNames.map(({ sanType, matcher }, index) => {
    if (sanType === SanType.URI && matcher?.matchPattern.case === 'exact' && !matcher.ignoreCase)
      return matcher.matchPattern.value
    refused.add(join(path, `match_typed_subject_alt_names[${index}]`), 'only exact URIs are supported')
    return ''
  })
}
