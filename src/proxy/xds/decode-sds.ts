import { fromBinary } from '@bufbuild/protobuf'
import { CertificateValidationContextSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { KeyPair } from '../config.ts'
import { decodeKeyPair } from './decode-certificate.ts'
import { decodeTrust } from './decode-trust.ts'
import { fieldNames, knowOnly, type Refusals } from './refusals.ts'

/** Whom to believe (PEM, one or more certificates), or what to show. */
export interface Secret {
  readonly name: string
  readonly trustPem?: string
  readonly certificate?: KeyPair
}

const trustFields = fieldNames('trusted_ca custom_validator_config')

/** A Secret that is a trust bundle or a certificate with its key. */
export function decodeSds(bytes: Uint8Array, refused: Refusals): Secret {
  const { name, type } = fromBinary(SecretSchema, bytes)
  switch (type.case) {
    case 'validationContext':
      knowOnly(CertificateValidationContextSchema, type.value, trustFields, 'validation_context', refused)
      return { name, trustPem: decodeTrust(type.value, 'validation_context', refused) }
    case 'tlsCertificate': {
      const certificate = decodeKeyPair(type.value, 'tls_certificate', refused)
      return { name, ...(certificate && { certificate }) }
    }
    default:
      refused.add(
        '',
        `${type.case ?? 'an empty secret'} is not supported, expected validation_context or tls_certificate`,
      )
      return { name }
  }
}
