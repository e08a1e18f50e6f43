import type { JsonObject } from '@bufbuild/protobuf'
import { Cluster_DiscoveryType, ClusterSchema } from '../../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ConfigSourceSchema } from '../../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { AddressSchema } from '../../../xds/gen/envoy/config/core/v3/address_pb.ts'
import { ListenerSchema } from '../../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { RouterSchema } from '../../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import {
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
} from '../../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ServiceEntrySchema } from '../../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '../../../xds/any.ts'
import { resource, type TestResource } from './ads-server.ts'

/** Over the same stream. */
export const ads: MessageInitShape<typeof ConfigSourceSchema> = { configSourceSpecifier: { case: 'ads', value: {} } }
export const loopback = (portValue: number): MessageInitShape<typeof AddressSchema> => ({
  address: {
    case: 'socketAddress',
    value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: portValue } },
  },
})

/** All to one cluster. */
export const routesTo = (name: string, cluster: string, version = '1'): TestResource =>
  resource(name, RouteConfigurationSchema, tableTo(name, cluster), version)

export const tableTo = (name: string, cluster: string): MessageInitShape<typeof RouteConfigurationSchema> => ({
  name,
  virtualHosts: [
    {
      name,
      domains: ['*'],
      routes: [
        {
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster } } },
        },
      ],
    },
  ],
})

/** With endpoints by EDS. */
export const edsCluster = (
  name: string,
  more: MessageInitShape<typeof ClusterSchema> = {},
  version = '1',
): TestResource =>
  resource(
    name,
    ClusterSchema,
    // Cast: a spread of an init is an init.
    {
      name,
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: ads },
      ...more,
    } as MessageInitShape<typeof ClusterSchema>,
    version,
  )

/** Ports on loopback, each with its metadata. */
export const endpoints = (
  name: string,
  ports: readonly number[],
  metadata: Record<string, JsonObject> = {},
  version = '1',
): TestResource =>
  resource(
    name,
    ClusterLoadAssignmentSchema,
    {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: ports.map((port) => ({
            hostIdentifier: { case: 'endpoint' as const, value: { address: loopback(port) } },
            metadata: { filterMetadata: metadata },
          })),
        },
      ],
    },
    version,
  )

/** Explicit mode, whose fallback goes to `cluster`; or by a named table. */
export const listener = (
  name: string,
  routes: { readonly cluster: string } | { readonly named: string },
  more: MessageInitShape<typeof ListenerSchema> = {},
): TestResource =>
  resource(name, ListenerSchema, {
    name,
    address: loopback(15001),
    filterChains: [
      {
        filters: [
          {
            name: 'http',
            configType: {
              case: 'typedConfig',
              value: packAny(
                HttpConnectionManagerSchema,
                create(HttpConnectionManagerSchema, {
                  statPrefix: name,
                  routeSpecifier:
                    'cluster' in routes
                      ? { case: 'routeConfig', value: tableTo(name, routes.cluster) }
                      : { case: 'rds', value: { routeConfigName: routes.named, configSource: ads } },
                  httpFilters: [router],
                }),
              ),
            },
          },
        ],
      },
    ],
    ...more,
  } as MessageInitShape<typeof ListenerSchema>)

/** The end of every filter list. */
export const router: MessageInitShape<typeof HttpFilterSchema> = {
  name: 'envoy.filters.http.router',
  configType: { case: 'typedConfig' as const, value: packAny(RouterSchema, create(RouterSchema)) },
}

/** An entry of the name table. */
export const service = (namespace: string, name: string, ports: Record<number, 'http' | 'tcp'>): TestResource =>
  resource(`${namespace}/${name}`, ServiceEntrySchema, {
    namespace,
    name,
    ports: Object.entries(ports).map(([port, protocol]) => ({ port: Number(port), protocol })),
  })
