import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { packAny } from '../../xds/any.ts'
import { Cluster_DiscoveryType, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { MetadataSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { HealthStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteActionSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { ServiceEntrySchema } from '../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import { decodeResource } from './decode.ts'
import { decode, manager, problem, withFilters, type Init } from './testing/decoding.ts'
import { ads, loopback, tableTo } from './testing/resources.ts'

test('EDS: health, weight, priority, locality, metadata', () => {
  const states: HealthStatus[] = [
    HealthStatus.UNKNOWN,
    HealthStatus.UNHEALTHY,
    HealthStatus.DRAINING,
    HealthStatus.TIMEOUT,
    HealthStatus.DEGRADED,
  ]
  const { endpoints } = decode('EDS', ClusterLoadAssignmentSchema, {
    clusterName: 'x',
    endpoints: [
      {
        locality: { region: 'eu', zone: 'a' },
        priority: 1,
        lbEndpoints: states.map((healthStatus, index) => ({
          healthStatus,
          loadBalancingWeight: index + 1,
          hostIdentifier: { case: 'endpoint' as const, value: { address: loopback(index) } },
          metadata: { filterMetadata: { 'weft.dev': { workload: 'a/b' }, 'envoy.transport_socket_match': { t: 1 } } },
        })),
      },
    ],
  })
  assert.deepEqual(
    endpoints.map(({ health }) => health),
    ['healthy', 'unhealthy', 'draining', 'unhealthy', 'degraded'],
  )
  assert.deepEqual(endpoints[1], {
    address: { host: '127.0.0.1', port: 1 },
    weight: 2,
    priority: 1,
    health: 'unhealthy',
    healthStatus: 'unhealthy',
    locality: 'eu/a',
    labels: { t: 1 },
    workload: 'a/b',
  })
  const further = decode('EDS', ClusterLoadAssignmentSchema, {
    clusterName: 'x',
    endpoints: [
      {
        lbEndpoints: [
          {
            hostIdentifier: {
              case: 'endpoint',
              value: { address: loopback(1), additionalAddresses: [{ address: loopback(2) }] },
            },
          },
        ],
      },
    ],
  })
  assert.deepEqual(further.endpoints[0]?.moreAddresses, [{ host: '127.0.0.1', port: 2 }])
  const twice = { hostIdentifier: { case: 'endpoint' as const, value: { address: loopback(1) } } }
  assert.match(
    problem('EDS', ClusterLoadAssignmentSchema, { clusterName: 'x', endpoints: [{ lbEndpoints: [twice, twice] }] }),
    /127\.0\.0\.1 1 is there twice/,
  )
})

test('SDS takes no certificate without its key, NDS carries names', () => {
  assert.match(
    problem('SDS', SecretSchema, { name: 'x', type: { case: 'tlsCertificate', value: {} } }),
    /tls_certificate.certificate_chain: holds no certificate/,
  )
  assert.deepEqual(
    decode(
      'NDS',
      ServiceEntrySchema,
      {
        namespace: 'a',
        name: 'b',
        ports: [
          { port: 1, protocol: 'http' },
          { port: 2, protocol: '?' },
        ],
      },
      'a/b',
    ),
    {
      namespace: 'a',
      name: 'b',
      ports: [
        { port: 1, protocol: 'http' },
        { port: 2, protocol: 'tcp' },
      ],
    },
  )
})

const eds: Init<typeof ClusterSchema> = {
  name: 'x',
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: ads, serviceName: 'e' },
}

test('no bytes whatever make the decoder throw', () => {
  const random = seeded(7)
  const good: readonly (readonly [XdsType, Uint8Array, string])[] = [
    [
      'LDS',
      packAny(ListenerSchema, create(ListenerSchema, withFilters([manager()]))).value,
      'type.googleapis.com/envoy.config.listener.v3.Listener',
    ],
    [
      'RDS',
      packAny(RouteConfigurationSchema, create(RouteConfigurationSchema, tableTo('x', 'y'))).value,
      'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    ],
    [
      'CDS',
      packAny(ClusterSchema, create(ClusterSchema, eds)).value,
      'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    ],
  ]
  for (const [type, bytes, typeUrl] of good) {
    for (let round = 0; round < 3_000; round++) {
      const value = Uint8Array.from(bytes)
      for (let flips = 1 + random.index(4); flips > 0; flips--) value[random.index(value.length)] = random.index(256)
      const resource = create(AnySchema, {
        typeUrl,
        value: value.subarray(0, random.index(4) === 0 ? random.index(value.length) : undefined),
      })
      decodeResource(type, { name: 'x', resource })
    }
  }
})

test('what is not known is left out where its sender allows that, and told; all else is refused', () => {
  const route: MessageInitShape<typeof RouteActionSchema> = {
    clusterSpecifier: { case: 'cluster', value: 'web' },
    internalRedirectPolicy: {},
    maxInternalRedirects: 2,
  }
  const table: MessageInitShape<typeof RouteConfigurationSchema> = {
    name: 'web',
    virtualHosts: [
      {
        name: 'web',
        domains: ['*'],
        routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'route', value: route } }],
      },
    ],
  }
  const resource = { name: 'web', resource: packAny(RouteConfigurationSchema, create(RouteConfigurationSchema, table)) }
  const allowing = (...names: readonly string[]) =>
    decodeResource('RDS', {
      ...resource,
      metadata: create(MetadataSchema, { filterMetadata: { 'weft.dev': { may_leave_out: [...names] } } }),
    })
  const at = 'virtual_hosts[0].routes[0].route.'
  assert.deepEqual(allowing('internal_redirect_policy'), {
    problem: `web: ${at}max_internal_redirects: is not supported`,
  })
  const taken = allowing('internal_redirect_policy', 'max_internal_redirects')
  assert.ok('value' in taken)
  assert.deepEqual(taken.leftOut.toSorted(), [
    `${at}internal_redirect_policy: is not supported`,
    `${at}max_internal_redirects: is not supported`,
  ])
  assert.equal(taken.value.name, 'web')
})

test('a field that is younger than our messages is refused, not skipped', () => {
  const young = Buffer.concat([
    Buffer.from(toBinary(ClusterSchema, create(ClusterSchema, { name: 'web' }))),
    // Field 1999, a varint.
    Buffer.from([0xf8, 0x7c, 0x01]),
  ])
  const any = create(AnySchema, { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster', value: young })
  const read = decodeResource('CDS', { name: 'web', resource: any, metadata: undefined })
  assert.match(
    'problem' in read ? read.problem : '',
    /#1999: is no field that this version knows \(envoy\.config\.cluster\.v3\.Cluster\)/,
  )
})
