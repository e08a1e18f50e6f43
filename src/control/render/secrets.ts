import type { MessageInitShape } from '@bufbuild/protobuf'
import type { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { certificateSecret } from '../../xds/names.ts'
import type { Certificate } from '../model/model.ts'

/** Whom to believe. Public: it holds certificates, no key. */
export const renderTrust = (name: string, pem: string): MessageInitShape<typeof SecretSchema> => ({
  name,
  type: {
    case: 'validationContext',
    value: { trustedCa: { specifier: { case: 'inlineString', value: pem } } },
  },
})

/** A certificate of a gateway, with its key: only for instances that serve with it. */
export const renderCertificate = (
  secret: string,
  { chainPem, keyPem }: Certificate,
): MessageInitShape<typeof SecretSchema> => ({
  name: certificateSecret(secret),
  type: {
    case: 'tlsCertificate',
    value: {
      certificateChain: { specifier: { case: 'inlineString', value: chainPem } },
      privateKey: { specifier: { case: 'inlineString', value: keyPem } },
    },
  },
})
