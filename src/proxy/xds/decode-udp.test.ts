import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SocketAddress_Protocol } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { StdoutAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { RouteSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/route_pb.ts'
import { UdpProxyConfigSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy_pb.ts'
import { TcpProxySchema } from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { decode, ms, problem, typed, type Init } from './testing/decoding.ts'

const udp = (...listenerFilters: readonly ReturnType<typeof typed>[]): Init<typeof ListenerSchema> => ({
  name: 'x',
  address: {
    address: {
      case: 'socketAddress',
      value: {
        protocol: SocketAddress_Protocol.UDP,
        address: '127.0.0.1',
        portSpecifier: { case: 'portValue', value: 53 },
      },
    },
  },
  listenerFilters: [...listenerFilters] as never,
})
const toCluster = { case: 'cluster', value: 'dns' } as const

test('datagrams to a cluster, with the defaults of the .proto', () => {
  const listener = decode('LDS', ListenerSchema, udp(typed('udp', UdpProxyConfigSchema, { routeSpecifier: toCluster })))
  assert.deepEqual(listener.address, { host: '127.0.0.1', port: 53 })
  assert.deepEqual(listener.udp, {
    statPrefix: '',
    clusters: [{ cluster: 'dns', weight: 1 }],
    idleTimeoutMs: 60_000,
    hash: undefined,
    accessLog: undefined,
  })
})

test('the newer form of a route, hash and log', () => {
  const action = { name: 'route', typedConfig: typed('r', RouteSchema, { cluster: 'dns' }).configType.value }
  const listener = decode(
    'LDS',
    ListenerSchema,
    udp(
      typed('udp', UdpProxyConfigSchema, {
        statPrefix: 'dns',
        routeSpecifier: {
          case: 'matcher',
          value: { onNoMatch: { onMatch: { case: 'action', value: action } } },
        },
        idleTimeout: ms(5000),
        hashPolicies: [{ policySpecifier: { case: 'sourceIp', value: true } }],
        accessLog: [typed('log', StdoutAccessLogSchema, {})],
      }),
    ),
  )
  assert.deepEqual(listener.udp, {
    statPrefix: 'dns',
    clusters: [{ cluster: 'dns', weight: 1 }],
    idleTimeoutMs: 5000,
    hash: 'source-ip',
    accessLog: [{ path: '/dev/stdout' }],
  })
})

test('several clusters stand in our metadata, since udp_proxy knows one only', () => {
  const split = [
    { cluster: 'a', weight: 3 },
    { cluster: 'b', weight: 1 },
  ]
  const listener = decode('LDS', ListenerSchema, {
    ...udp(typed('udp', UdpProxyConfigSchema, { routeSpecifier: toCluster })),
    metadata: { filterMetadata: { 'weft.dev': { split } } },
  } as never)
  assert.deepEqual(listener.udp?.clusters, split)
})

const refusals: readonly (readonly [string, Init<typeof ListenerSchema>, RegExp])[] = [
  ['no filter', udp(), /listener_filters: expected udp_proxy/],
  ['another filter', udp(typed('tcp', TcpProxySchema, {})), /listener_filters\[0\]: expected udp_proxy/],
  [
    'two filters',
    udp(
      typed('a', UdpProxyConfigSchema, { routeSpecifier: toCluster }),
      typed('b', UdpProxyConfigSchema, { routeSpecifier: toCluster }),
    ),
    /listener_filters\[1\]: a second filter/,
  ],
  ['no route', udp(typed('a', UdpProxyConfigSchema, {})), /listener_filters\[0\]: expected cluster or matcher/],
  [
    'what would be a promise not kept',
    udp(
      typed('a', UdpProxyConfigSchema, {
        routeSpecifier: toCluster,
        usePerPacketLoadBalancing: true,
        useOriginalSrcIp: true,
        idleTimeout: ms(0),
      }),
    ),
    /use_original_src_ip: is not supported; .*use_per_packet_load_balancing: is not supported; .*idle_timeout: expected more than 0/,
  ],
  [
    'filter chains',
    { ...udp(typed('a', UdpProxyConfigSchema, { routeSpecifier: toCluster })), filterChains: [{ name: 'c' }] } as never,
    /filter_chains: is not supported/,
  ],
]
for (const [title, init, form] of refusals)
  test(`UDP refuses ${title}`, () => assert.match(problem('LDS', ListenerSchema, init), form))
