import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '../../../xds/any.ts'
import type { TransportSocketSchema } from '../../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { SubjectAltNameMatcher_SanType } from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema as CombinedSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  type CommonTlsContextSchema,
} from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { SdsSecretConfigSchema } from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { agentCluster, ownCertificateSecret } from '../../../xds/names.ts'
import { ads } from './resources.ts'

type Socket = MessageInitShape<typeof TransportSocketSchema>

/** The workload's own, by the agent's SDS. */
export const ownCertificate: MessageInitShape<typeof SdsSecretConfigSchema> = {
  name: ownCertificateSecret,
  sdsConfig: {
    configSourceSpecifier: {
      case: 'apiConfigSource' as const,
      value: {
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: agentCluster } } }],
      },
    },
  },
}

/** mTLS to peers of these identities. */
export const upstreamTls = (bundle: string, identities: readonly string[]): Socket => ({
  name: 'envoy.transport_sockets.tls',
  configType: {
    case: 'typedConfig',
    value: packAny(
      UpstreamTlsContextSchema,
      create(UpstreamTlsContextSchema, {
        sni: 'web',
        commonTlsContext: {
          tlsCertificateSdsSecretConfigs: [ownCertificate],
          validationContextType: {
            case: 'combinedValidationContext',
            value: create(CombinedSchema, {
              defaultValidationContext: {
                matchTypedSubjectAltNames: identities.map((value) => ({
                  sanType: SubjectAltNameMatcher_SanType.URI,
                  matcher: { matchPattern: { case: 'exact' as const, value } },
                })),
              },
              validationContextSdsSecretConfig: { name: bundle, sdsConfig: ads },
            }),
          },
          alpnProtocols: ['weft', 'http/1.1'],
        },
      }),
    ),
  },
})

/** mTLS from clients that the bundle vouches for; `common` replaces parts. */
export const downstreamTls = (
  bundle: string,
  common: MessageInitShape<typeof CommonTlsContextSchema> = {},
): Socket => ({
  name: 'envoy.transport_sockets.tls',
  configType: {
    case: 'typedConfig',
    value: packAny(
      DownstreamTlsContextSchema,
      create(DownstreamTlsContextSchema, {
        requireClientCertificate: true,
        commonTlsContext: {
          tlsCertificateSdsSecretConfigs: [ownCertificate],
          validationContextType: {
            case: 'validationContextSdsSecretConfig',
            value: create(SdsSecretConfigSchema, { name: bundle, sdsConfig: ads }),
          },
          alpnProtocols: ['http/1.1'],
          ...common,
        },
      }),
    ),
  },
})
