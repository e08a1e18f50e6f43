import { joinTrustDomains } from '../../base/trust-domains.ts'
import type { CertificateValidationContext } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import {
  SPIFFECertValidatorConfigSchema,
  SPIFFECertValidatorConfig_TrustDomainSchema as TrustDomainSchema,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts'
import { decodeBundle, decodeTrustedCa } from './decode-certificate.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const validatorFields = fieldNames('trust_domains')
const domainFields = fieldNames('name trust_bundle')
const domainForm = /^[a-z0-9._-]{1,255}$/

/** Whom a validation context believes, PEM: anybody whom its authorities vouch for, or each trust domain's own (`custom_validator_config`). */
export function decodeTrust(context: CertificateValidationContext, path: string, refused: Refusals): string {
  const { customValidatorConfig: validator } = context
  if (validator === undefined) return decodeTrustedCa(context, path, refused)
  const at = join(path, 'custom_validator_config.typed_config')
  if (context.trustedCa !== undefined)
    refused.add(join(path, 'trusted_ca'), 'is not supported beside custom_validator_config')
  if (validator.typedConfig === undefined) refused.add(at, 'is missing')
  const config = validator.typedConfig && open(validator.typedConfig, SPIFFECertValidatorConfigSchema, at, refused)
  if (config === undefined) return ''
  knowOnly(SPIFFECertValidatorConfigSchema, config, validatorFields, at, refused)
  if (config.trustDomains.length === 0) refused.add(join(at, 'trust_domains'), 'expected at least one')
  const bundles = new Map<string, string>()
  for (const [index, domain] of config.trustDomains.entries()) {
    const where = join(at, `trust_domains[${index}]`)
    knowOnly(TrustDomainSchema, domain, domainFields, where, refused)
    const { name } = domain
    if (!domainForm.test(name)) refused.add(join(where, 'name'), `expected a trust domain, got "${name}"`)
    if (bundles.has(name)) refused.add(join(where, 'name'), `${name} is there twice`)
    bundles.set(name, decodeBundle(domain.trustBundle, join(where, 'trust_bundle'), refused))
  }
  return joinTrustDomains(bundles)
}
