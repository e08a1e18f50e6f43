import type { MessageInitShape } from '@bufbuild/protobuf'
import type { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { trustBundleSecret } from '../../xds/names.ts'

/** Whom the mesh believes. Public: it holds certificates, no key. */
export const renderTrustBundle = (trustBundlePem: string): MessageInitShape<typeof SecretSchema> => ({
  name: trustBundleSecret,
  type: {
    case: 'validationContext',
    value: { trustedCa: { specifier: { case: 'inlineString', value: trustBundlePem } } },
  },
})
