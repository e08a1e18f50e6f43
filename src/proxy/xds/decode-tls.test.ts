import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransportSocketSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  SubjectAltNameMatcher_SanType as SanType,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  type CommonTlsContextSchema,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { SPIFFECertValidatorConfigSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts'
import { trustDomainsIn } from '../../base/trust-domains.ts'
import type { DownstreamTls, UpstreamTls } from '../config.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { decodeDownstreamTls, decodeUpstreamTls } from './decode-tls.ts'
import { refusals } from './refusals.ts'

const authority = await createTestAuthority()
const one = await authority.issue('dns:one.example')
const two = await authority.issue('dns:two.example')
const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })

type Common = MessageInitShape<typeof CommonTlsContextSchema>
function downstream(commonTlsContext: Common): { tls: DownstreamTls | undefined; refused: readonly string[] } {
  const refused = refusals()
  const value = anyPack(DownstreamTlsContextSchema, create(DownstreamTlsContextSchema, { commonTlsContext }))
  const socket = create(TransportSocketSchema, { name: 'tls', configType: { case: 'typedConfig', value } })
  return { tls: decodeDownstreamTls(socket, 'at', refused), refused: refused.list }
}
function upstream(commonTlsContext: Common): { tls: UpstreamTls | undefined; refused: readonly string[] } {
  const refused = refusals()
  const value = anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, { commonTlsContext, sni: 'x' }))
  const socket = create(TransportSocketSchema, { name: 'tls', configType: { case: 'typedConfig', value } })
  return { tls: decodeUpstreamTls(socket, 'at', refused), refused: refused.list }
}
const pair = ({ chainPem, keyPem }: typeof one) => ({ certificateChain: inline(chainPem), privateKey: inline(keyPem) })

test('a certificate that stands in the resource, or a secret by name', () => {
  const given = downstream({ tlsCertificates: [pair(one)], alpnProtocols: ['h2'] })
  assert.deepEqual(given.refused, [])
  const certificate = given.tls?.certificate
  assert.ok(typeof certificate === 'object' && 'keyPem' in certificate)
  assert.equal(certificate.chainPem, one.chainPem)
  const second = Math.floor(one.notAfterMs / 1000) * 1000
  assert.equal(certificate.notAfterMs, second)

  const sdsConfig = { configSourceSpecifier: { case: 'ads' as const, value: {} } }
  const named = downstream({
    tlsCertificateSdsSecretConfigs: [{ name: 'web', sdsConfig }],
    validationContextType: { case: 'validationContextSdsSecretConfig', value: { name: 'clients', sdsConfig } },
  })
  assert.deepEqual(named, {
    tls: {
      certificate: { secret: 'web' },
      trust: { secret: 'clients' },
      peer: { kind: 'names', oneOf: [] },
      requireClientCertificate: false,
      alpn: [],
    },
    refused: [],
  })
})

test('a key of another certificate is refused by path; a second certificate is for its names', () => {
  const other = downstream({ tlsCertificates: [{ ...pair(one), privateKey: inline(two.keyPem) }] })
  assert.match(other.refused.join(), /at.common_tls_context.tls_certificates\[0\].private_key: is no key of this/)
  const both = downstream({ tlsCertificates: [pair(one), pair(two)] })
  assert.deepEqual(both.refused, [])
  assert.equal(both.tls?.moreCertificates?.length, 1)
  const none = downstream({})
  assert.deepEqual(none.refused, ['at.common_tls_context: expected a certificate'])
})

const broken = '\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

test('what OpenSSL will not take is refused here, and not by an exception at the first handshake', async () => {
  const chain = downstream({ tlsCertificates: [{ ...pair(one), certificateChain: inline(one.chainPem + broken) }] })
  assert.match(chain.refused.join(), /^at\.common_tls_context\.tls_certificates\[0\]: cannot be used: wrong tag/)
  const weak = downstream({ tlsCertificates: [pair(await authority.issueWeak('dns:weak.example'))] })
  assert.match(weak.refused.join(), /tls_certificates\[0\]: cannot be used: ee key too small/)
})

test('towards an endpoint: a bundle in the resource, and the names that its certificate may have', () => {
  const { tls, refused } = upstream({
    validationContextType: {
      case: 'validationContext',
      value: {
        trustedCa: inline(authority.bundlePem),
        matchTypedSubjectAltNames: [
          { sanType: SanType.DNS, matcher: { matchPattern: { case: 'suffix', value: '.example' } } },
        ],
      },
    },
  })
  assert.deepEqual(refused, [])
  assert.deepEqual(tls?.trust, { pem: authority.bundlePem })
  assert.deepEqual(tls.peer, {
    kind: 'names',
    oneOf: [{ kind: 'dns', match: { kind: 'suffix', value: '.example', ignoreCase: false } }],
  })
  assert.match(upstream({}).refused.join(), /without a validation context nobody vouches/)
})

test('versions of TLS: 1.2 and 1.3, or one of them; nothing older', () => {
  const of = (tlsMinimumProtocolVersion: TlsProtocol, tlsMaximumProtocolVersion: TlsProtocol) =>
    downstream({
      tlsCertificates: [pair(one)],
      tlsParams: { tlsMinimumProtocolVersion, tlsMaximumProtocolVersion },
    })
  const { TLS_AUTO: auto, TLSv1_1: old, TLSv1_2: two12, TLSv1_3: two13 } = TlsProtocol
  assert.equal(of(auto, auto).tls?.choices, undefined)
  assert.equal(of(two12, two13).tls?.choices, undefined)
  assert.deepEqual(of(two13, two13).tls?.choices, { minVersion: 'TLSv1.3' })
  assert.deepEqual(of(auto, two12).tls?.choices, { maxVersion: 'TLSv1.2' })
  assert.match(
    of(old, auto).refused.join(),
    /at\.common_tls_context\.tls_params\.tls_minimum_protocol_version: nothing older/,
  )
  assert.match(of(two13, two12).refused.join(), /tls_maximum_protocol_version: is less than/)
})

test('ciphers and curves: a choice of what is spoken anyway, in the order given', () => {
  const of = (cipherSuites: string[], ecdhCurves: string[]) =>
    downstream({ tlsCertificates: [pair(one)], tlsParams: { cipherSuites, ecdhCurves } })
  const [aes, chacha] = ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']
  const { choices } = of([`[${chacha}|${aes}]`], ['P-384', 'X25519']).tls ?? {}
  const suites = choices?.ciphers ?? ''
  assert.ok(suites.endsWith(`:${chacha}:${aes}`))
  assert.match(suites, /^TLS_AES_128_GCM_SHA256:/)
  assert.equal(choices?.ecdhCurve, 'P-384:X25519')
  const { refused } = of([aes, 'AES128-SHA'], ['P-224'])
  assert.match(refused.join(), /tls_params\.cipher_suites\[1\]: AES128-SHA is not supported, expected some of ECDHE/)
  assert.match(refused.join(), /tls_params\.ecdh_curves\[0\]: P-224 is not supported/)
})

test('trust domains of SPIFFE, each with its own bundle', () => {
  const contextOf = (config: MessageInitShape<typeof SPIFFECertValidatorConfigSchema>, more: object = {}) =>
    upstream({
      validationContextType: {
        case: 'validationContext',
        value: {
          customValidatorConfig: {
            name: 'envoy.tls.cert_validator.spiffe',
            typedConfig: anyPack(SPIFFECertValidatorConfigSchema, create(SPIFFECertValidatorConfigSchema, config)),
          },
          ...more,
        },
      },
    })
  const trustBundle = inline(authority.bundlePem)
  const given = contextOf({ trustDomains: [{ name: 'a.example', trustBundle }] })
  assert.deepEqual(given.refused, [])
  const pem = given.tls !== undefined && 'pem' in given.tls.trust ? given.tls.trust.pem : ''
  assert.deepEqual([...(trustDomainsIn(pem)?.keys() ?? [])], ['a.example'])
  const at = 'at.common_tls_context.validation_context'
  const config = `${at}.custom_validator_config.typed_config`
  assert.deepEqual(contextOf({}).refused, [`${config}.trust_domains: expected at least one`])
  assert.deepEqual(
    contextOf({
      trustDomains: [
        { name: 'spiffe://a', trustBundle },
        { name: 'b', trustBundle: inline('x') },
        { name: 'b', trustBundle, workloadTrustDomain: 'c' },
      ],
      trustBundles: inline('{}'),
    }).refused,
    [
      `${config}.trust_bundles: is not supported`,
      `${config}.trust_domains[0].name: expected a trust domain, got "spiffe://a"`,
      `${config}.trust_domains[1].trust_bundle: holds no certificate`,
      `${config}.trust_domains[2].workload_trust_domain: is not supported`,
      `${config}.trust_domains[2].name: b is there twice`,
    ],
  )
  assert.deepEqual(contextOf({ trustDomains: [{ name: 'a', trustBundle }] }, { trustedCa: trustBundle }).refused, [
    `${at}.trusted_ca: is not supported beside custom_validator_config`,
  ])
})
