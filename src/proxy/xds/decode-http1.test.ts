import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { Cluster_DiscoveryType, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { PreserveCaseFormatterConfigSchema } from '../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { decode, manager, ms, problem, withFilters, type Init, type Manager } from './testing/decoding.ts'
import { ads } from './testing/resources.ts'

const terminalWith = (more: Manager) =>
  decode('LDS', ListenerSchema, withFilters([manager(more)])).filterChains[0]?.terminal
const why = (more: Manager): string => problem('LDS', ListenerSchema, withFilters([manager(more)]))

const words = { headerFormat: { case: 'properCaseWords' as const, value: {} } }
const formatter = (more: Init<typeof PreserveCaseFormatterConfigSchema> = {}) => ({
  headerFormat: {
    case: 'statefulFormatter' as const,
    value: {
      name: 'preserve_case',
      typedConfig: packAny(PreserveCaseFormatterConfigSchema, create(PreserveCaseFormatterConfigSchema, more)),
    },
  },
})

test('how long requests and calls may take, and what their fields may be called', () => {
  const terminal = terminalWith({
    requestTimeout: ms(3000),
    commonHttpProtocolOptions: {
      maxStreamDuration: ms(60_000),
      headersWithUnderscoresAction: Underscores.DROP_HEADER,
    },
  })
  assert.partialDeepStrictEqual(terminal, { requestTimeoutMs: 3000, streamTimeoutMs: 60_000, underscores: 'drop' })
  const strict = terminalWith({
    commonHttpProtocolOptions: { headersWithUnderscoresAction: Underscores.REJECT_REQUEST },
  })
  assert.partialDeepStrictEqual(strict, { underscores: 'refuse' })
})

test('HTTP/1 of clients: the default host, and the names of fields', () => {
  const options = { acceptHttp10: true, defaultHostForHttp10: 'Old.Example', headerKeyFormat: words }
  assert.partialDeepStrictEqual(terminalWith({ httpProtocolOptions: options }), {
    defaultHost: 'old.example',
    headerCase: 'words',
  })
  const kept = terminalWith({ httpProtocolOptions: { headerKeyFormat: formatter() } })
  assert.partialDeepStrictEqual(kept, { headerCase: 'kept' })
  const at = 'filter_chains[0].filters[0].http_protocol_options'
  for (const [httpProtocolOptions, expected] of [
    [{ defaultHostForHttp10: 'old.example' }, `${at}.default_host_for_http_10: expected accept_http_10 beside it`],
    [{ acceptHttp10: true, defaultHostForHttp10: 'a b' }, `${at}.default_host_for_http_10: expected a host`],
    [{ allowAbsoluteUrl: false }, `${at}.allow_absolute_url: false is not supported`],
    [{ allowChunkedLength: true }, `${at}.allow_chunked_length: is not supported`],
    [
      { headerKeyFormat: formatter({ forwardReasonPhrase: true }) },
      `${at}.header_key_format.stateful_formatter.typed_config.forward_reason_phrase: is not supported`,
    ],
    [{ headerKeyFormat: {} }, `${at}.header_key_format: expected proper_case_words or stateful_formatter`],
  ] as const)
    assert.ok(why({ httpProtocolOptions }).includes(expected), why({ httpProtocolOptions }))
})

test('HTTP/1 towards endpoints: the names of fields, wherever a cluster says it', () => {
  const withOptions = (more: object): Init<typeof ClusterSchema> => ({
    name: 'x',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    ...more,
  })
  const explicit = (value: object): Init<typeof ClusterSchema> =>
    withOptions({
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
          HttpProtocolOptionsSchema,
          create(HttpProtocolOptionsSchema, {
            upstreamProtocolOptions: {
              case: 'explicitHttpConfig',
              value: { protocolConfig: { case: 'httpProtocolOptions', value } },
            },
          }),
        ),
      },
    })
  assert.equal(decode('CDS', ClusterSchema, explicit({ headerKeyFormat: words })).headerCase, 'words')
  assert.equal(decode('CDS', ClusterSchema, explicit({ headerKeyFormat: formatter() })).headerCase, 'kept')
  const old = withOptions({ httpProtocolOptions: { headerKeyFormat: words } })
  assert.equal(decode('CDS', ClusterSchema, old).headerCase, 'words')
  assert.match(
    problem('CDS', ClusterSchema, explicit({ sendFullyQualifiedUrl: true })),
    /explicit_http_config\.http_protocol_options\.send_fully_qualified_url: is not supported/,
  )
})
