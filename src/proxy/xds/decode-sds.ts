import { fromBinary } from '@bufbuild/protobuf'
import { X509Certificate } from 'node:crypto'
import { CertificateValidationContextSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { inlineText } from './decode-rds.ts'
import { fieldNames, knowOnly, type Refusals } from './refusals.ts'

/** Whom to believe. */
export interface TrustBundle {
  readonly name: string
  /** One or more certificates. */
  readonly pem: string
}

const known = fieldNames('trusted_ca')

/** A Secret that is a trust bundle. Keys never come this way. */
export function decodeSds(bytes: Uint8Array, refused: Refusals): TrustBundle {
  const secret = fromBinary(SecretSchema, bytes)
  if (secret.type.case !== 'validationContext') {
    refused.add('', `${secret.type.case ?? 'an empty secret'} is not supported, expected validation_context`)
    return { name: secret.name, pem: '' }
  }
  knowOnly(CertificateValidationContextSchema, secret.type.value, known, 'validation_context', refused)
  const path = 'validation_context.trusted_ca'
  const pem = inlineText(secret.type.value.trustedCa, path, refused) ?? ''
  if (!isPem(pem)) refused.add(path, 'holds no certificate')
  return { name: secret.name, pem }
}

function isPem(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}
