import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { ApiConfigSource_ApiType, ApiVersion } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { TlsInspectorSchema } from '../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import {
  CertificateValidationContext_TrustChainVerification as TrustChainVerification,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  type SubjectAltNameMatcherSchema,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SdsSecretConfigSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import {
  agentCluster,
  certificateSecret,
  meshAlpn,
  meshTcpAlpn,
  ownCertificateSecret,
  systemTrustSecret,
  trustBundleSecret,
} from '../../xds/names.ts'
import type { BackendTls, ClientValidation, GatewayListener } from '../model/model.ts'
import { duration, overAds, typed } from './parts.ts'

type SecretSource = MessageInitShape<typeof SdsSecretConfigSchema>

/** The workload's own certificate: from the agent beside the proxy, never over ADS. */
const ownCertificate: SecretSource = {
  name: ownCertificateSecret,
  sdsConfig: {
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName: agentCluster } } }],
      },
    },
    resourceApiVersion: ApiVersion.V3,
  },
}
const trustBundle: SecretSource = { name: trustBundleSecret, sdsConfig: overAds }
const tlsParams = { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2 }

/** Envoy's name for TLS of its own making. */
export const tlsTransportSocket = 'envoy.transport_sockets.tls'

/**
 * Receives the mesh: a client certificate that the trust bundle vouches for is required. For HTTP a standard name is negotiated, never
 * the marker; a raw byte stream negotiates nothing.
 */
export const renderDownstreamTls = (protocol: 'http' | 'tcp'): Any =>
  typed(DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      tlsParams,
      tlsCertificateSdsSecretConfigs: [ownCertificate],
      validationContextType: { case: 'validationContextSdsSecretConfig', value: trustBundle },
      alpnProtocols: protocol === 'http' ? ['h2', 'http/1.1'] : [],
    },
  })

/**
 * Looks for TLS before a filter chain is chosen. A client that says nothing is either slow, and is cut after `limitMs`, or speaks a
 * protocol in which the server speaks first, and counts as plain text then.
 */
export const inspectTls = ({
  limitMs,
  serverMayBeFirst,
}: {
  limitMs: number
  serverMayBeFirst: boolean
}): Required<
  Pick<
    MessageInitShape<typeof ListenerSchema>,
    'listenerFilters' | 'listenerFiltersTimeout' | 'continueOnListenerFiltersTimeout'
  >
> => ({
  listenerFilters: [
    {
      name: 'envoy.filters.listener.tls_inspector',
      configType: { case: 'typedConfig', value: typed(TlsInspectorSchema, {}) },
    },
  ],
  listenerFiltersTimeout: duration(limitMs),
  continueOnListenerFiltersTimeout: serverMayBeFirst,
})

/**
 * Receives strangers with these certificates, of which the TLS server name chooses, and asks for theirs where that is wanted. Raw bytes
 * negotiate nothing.
 */
export const renderEdgeTls = (
  { certificates, clients }: Pick<GatewayListener, 'certificates' | 'clients'>,
  protocol: 'http' | 'tcp',
): Any =>
  typed(DownstreamTlsContextSchema, {
    ...(clients?.mode === 'valid-only' && { requireClientCertificate: true }),
    commonTlsContext: {
      tlsParams,
      tlsCertificateSdsSecretConfigs: certificates.map(certificateSource),
      ...(clients && { validationContextType: trustOf(clients) }),
      alpnProtocols: protocol === 'http' ? ['h2', 'http/1.1'] : [],
    },
  })

/** A certificate of a Gateway, over ADS. */
const certificateSource = (secret: string): SecretSource => ({ name: certificateSecret(secret), sdsConfig: overAds })

const trustOf = ({ trustPem, mode }: ClientValidation): Validation => ({
  case: 'validationContext',
  value: {
    trustedCa: { specifier: { case: 'inlineString', value: trustPem } },
    ...(mode === 'insecure-fallback' && { trustChainVerification: TrustChainVerification.ACCEPT_UNTRUSTED }),
  },
})

/** What is spoken on the hop between two sidecars. */
export type Hop = 'h2' | 'http/1.1' | 'tcp'

/**
 * What a client offers: the marker, then what it speaks. A client that speaks HTTP/1.1 must not offer h2, since the receiver would
 * choose it.
 */
const offered: Readonly<Record<Hop, readonly string[]>> = {
  h2: [meshAlpn, 'h2', 'http/1.1'],
  'http/1.1': [meshAlpn, 'http/1.1'],
  tcp: [meshTcpAlpn],
}

/** Calls a mesh endpoint: its identity must be one of `identities`, exactly. Without any known identity nobody is believed. */
export const renderUpstreamTls = (hop: Hop, sni: string, identities: readonly string[]): Any =>
  typed(UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: {
      tlsParams,
      tlsCertificateSdsSecretConfigs: [ownCertificate],
      validationContextType: identities.length === 0 ? trustNobody : bySecret(identities.map(exactUri), trustBundle),
      alpnProtocols: [...offered[hop]],
    },
  })

/**
 * Calls a program that speaks TLS itself and proves itself by name, with this certificate (of a Gateway) if it asks for one. Raw bytes
 * negotiate nothing.
 */
export const renderBackendTls = (hop: Hop, { sni, names, trust }: BackendTls, shown: string | undefined): Any =>
  typed(UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: {
      tlsParams,
      ...(shown !== undefined && { tlsCertificateSdsSecretConfigs: [certificateSource(shown)] }),
      validationContextType: trust === 'nobody' ? trustNobody : trustFor(names, trust),
      alpnProtocols: hop === 'tcp' ? [] : [hop],
    },
  })

type Validation = NonNullable<MessageInitShape<typeof CommonTlsContextSchema>['validationContextType']>

function trustFor(names: BackendTls['names'], trust: Exclude<BackendTls['trust'], 'nobody'>): Validation {
  const matchTypedSubjectAltNames = names.map(({ kind, value }) => (kind === 'uri' ? exactUri(value) : exactDns(value)))
  if (trust === 'system') return bySecret(matchTypedSubjectAltNames, { name: systemTrustSecret, sdsConfig: overAds })
  return {
    case: 'validationContext',
    value: { matchTypedSubjectAltNames, trustedCa: { specifier: { case: 'inlineString', value: trust.pem } } },
  }
}

/** Names that a certificate must be for, by authorities that come as a secret. */
const bySecret = (
  matchTypedSubjectAltNames: MessageInitShape<typeof SubjectAltNameMatcherSchema>[],
  secret: SecretSource,
): Validation => ({
  case: 'combinedValidationContext',
  value: create(CommonTlsContext_CombinedCertificateValidationContextSchema, {
    defaultValidationContext: { matchTypedSubjectAltNames },
    validationContextSdsSecretConfig: secret,
  }),
})

const exactDns = (name: string): MessageInitShape<typeof SubjectAltNameMatcherSchema> => ({
  sanType: SubjectAltNameMatcher_SanType.DNS,
  matcher: { matchPattern: { case: 'exact', value: name } },
})

const exactUri = (identity: string): MessageInitShape<typeof SubjectAltNameMatcherSchema> => ({
  sanType: SubjectAltNameMatcher_SanType.URI,
  matcher: { matchPattern: { case: 'exact', value: identity } },
})

/** An identity that is never issued: an empty list of names would mean "anybody". */
const trustNobody = bySecret([exactUri('spiffe://nobody.invalid')], trustBundle)
