import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { Cluster_DiscoveryType, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { RoutingPriority } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { envoyLimits } from '../config/priority.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'
import { ads } from './testing/resources.ts'
import { upstreamTls } from './testing/tls.ts'

const clusterWith = (more: object): Init<typeof ClusterSchema> =>
  ({
    name: 'x',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    ...more,
  }) as Init<typeof ClusterSchema>
const withCommon = (commonHttpProtocolOptions: object): object => ({
  typedExtensionProtocolOptions: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
      HttpProtocolOptionsSchema,
      create(HttpProtocolOptionsSchema, { commonHttpProtocolOptions } as Init<typeof HttpProtocolOptionsSchema>),
    ),
  },
})

test('connections: calls, age with jitter, keep-alive, a limit for each endpoint', () => {
  const { connections, limits } = decode(
    'CDS',
    ClusterSchema,
    clusterWith({
      ...withCommon({
        maxConnectionDuration: ms(60_000),
        maxConnectionDurationJitter: { value: 20 },
        maxRequestsPerConnection: 100,
      }),
      upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 30 } },
      circuitBreakers: { perHostThresholds: [{ maxConnections: 7 }] },
    }),
  )
  assert.deepEqual(connections, {
    maxCalls: 100,
    maxAgeMs: 60_000,
    ageJitterPercent: 20,
    keepAlive: { idleMs: 30_000, intervalMs: 75_000, probes: 9 },
  })
  assert.equal(limits.maxConnectionsPerEndpoint, 7)
})

test('connections: limits by priority, each with its own defaults; the last of several counts', () => {
  const { HIGH } = RoutingPriority
  const of = (circuitBreakers: object) => decode('CDS', ClusterSchema, clusterWith({ circuitBreakers }))
  const both = of({
    thresholds: [{ maxRequests: 1 }, { maxRequests: 2 }, { priority: HIGH, maxConnections: 3 }],
    perHostThresholds: [{ priority: HIGH, maxConnections: 4 }],
  })
  assert.deepEqual(both.limits, { ...envoyLimits, maxRequests: 2 })
  assert.deepEqual(both.highLimits, { ...envoyLimits, maxConnections: 3, maxConnectionsPerEndpoint: 4 })
  assert.equal(of({ thresholds: [{ maxRequests: 1 }] }).highLimits, undefined)
})

test('connections: the old field for calls; 0 is no limit; nothing said is nothing', () => {
  const of = (more: object) => decode('CDS', ClusterSchema, clusterWith(more)).connections
  assert.deepEqual(of({ maxRequestsPerConnection: 3 }), { maxCalls: 3 })
  assert.equal(of({ maxRequestsPerConnection: 0 }), undefined)
  assert.equal(of({}), undefined)
})

test('connections: what is not understood is refused', () => {
  const refused = (more: object) => problem('CDS', ClusterSchema, clusterWith(more))
  assert.match(
    refused({ circuitBreakers: { perHostThresholds: [{ maxRequests: 1 }] } }),
    /per_host_thresholds\[0\]\.max_requests: is not supported/,
  )
  assert.match(refused({ preconnectPolicy: {} }), /preconnect_policy: is not supported/)
  assert.match(
    refused(withCommon({ maxConnectionDurationJitter: { value: 5 } })),
    /max_connection_duration_jitter: expected max_connection_duration beside it/,
  )
})

test('connections: how an HTTP/2 peer is asked whether it lives', () => {
  const withPing = (connectionKeepalive: object) =>
    clusterWith({
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
          HttpProtocolOptionsSchema,
          create(HttpProtocolOptionsSchema, {
            upstreamProtocolOptions: {
              case: 'explicitHttpConfig',
              value: { protocolConfig: { case: 'http2ProtocolOptions', value: { connectionKeepalive } } },
            },
          } as Init<typeof HttpProtocolOptionsSchema>),
        ),
      },
    })
  const asked = decode('CDS', ClusterSchema, withPing({ interval: ms(20_000), timeout: ms(5000) }))
  assert.deepEqual(asked.connections, { ping: { silentMs: 20_000, answerMs: 5000 } })
  const said = problem('CDS', ClusterSchema, withPing({ connectionIdleInterval: ms(1) }))
  assert.match(said, /connection_keepalive\.connection_idle_interval: is not supported/)
  assert.match(said, /connection_keepalive\.timeout: expected at least 1 ms/)
})

test('connections: the protocol by the caller, or by ALPN, which takes TLS', () => {
  const choosing = (upstreamProtocolOptions: object, more: object = {}) =>
    clusterWith({
      ...more,
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
          HttpProtocolOptionsSchema,
          create(HttpProtocolOptionsSchema, { upstreamProtocolOptions } as Init<typeof HttpProtocolOptionsSchema>),
        ),
      },
    })
  const http2ProtocolOptions = { connectionKeepalive: { interval: ms(20_000), timeout: ms(5000) } }
  const byCaller = choosing({ case: 'useDownstreamProtocolConfig', value: { http2ProtocolOptions } })
  const { protocolBy, upstreamProtocol, connections } = decode('CDS', ClusterSchema, byCaller)
  assert.deepEqual([protocolBy, upstreamProtocol], ['downstream', 'http/1.1'])
  assert.deepEqual(connections, { ping: { silentMs: 20_000, answerMs: 5000 } })
  const auto = { case: 'autoConfig', value: {} }
  const secure = { transportSocket: upstreamTls('bundle', []) }
  assert.equal(decode('CDS', ClusterSchema, choosing(auto, secure)).protocolBy, 'alpn')
  assert.match(problem('CDS', ClusterSchema, choosing(auto)), /auto_config: expected a transport_socket of TLS/)
  assert.match(
    problem('CDS', ClusterSchema, choosing({ ...auto, value: { http3ProtocolOptions: {} } }, secure)),
    /auto_config\.http3_protocol_options: is not supported/,
  )
})
