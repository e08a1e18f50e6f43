import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { silentLog } from '../../base/log.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { createBootstrapFlow } from './bootstrap-flow.ts'
import { serverTarget } from './ads-target.ts'
import { decodeBootstrap, type Bootstrap } from './decode-bootstrap.ts'
import { sdsSecret } from './sds-secret.ts'

const types = 'type.googleapis.com/envoy.extensions.'
const router = { name: 'router', typed_config: { '@type': `${types}filters.http.router.v3.Router` } }
const address = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } })
const pair = await (await createTestAuthority()).issue('dns:web.example')
const files: Readonly<Record<string, string>> = { 'cert.pem': pair.chainPem, 'key.pem': pair.keyPem, hi: 'from a file' }

function decode(json: unknown): { value?: Bootstrap; problems?: readonly string[] } {
  const readFile = (file: string): Buffer | string => {
    const text = files[file]
    return text === undefined ? `there is no ${file}` : Buffer.from(text)
  }
  return decodeBootstrap(json, { readFile, env: { BODY: 'from the environment' } })
}

/** A bootstrap whose parts a test may change. */
const bootstrap = (change: (json: any) => void = () => {}): unknown => {
  const json = {
    node: { id: 'web-1', cluster: 'web', metadata: { a: [1, true] }, locality: { zone: 'z' } },
    admin: { address: address(9901) },
    static_resources: {
      listeners: [
        {
          name: 'web',
          address: address(8080),
          filterChains: [
            {
              filters: [
                {
                  name: 'http',
                  typed_config: {
                    '@type': `${types}filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: 'web',
                    stream_idle_timeout: '1.5s',
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          routes: [
                            { match: { prefix: '/hi' }, direct_response: { status: 200, body: { filename: 'hi' } } },
                            {
                              match: { prefix: '/env' },
                              direct_response: { status: 200, body: { environment_variable: 'BODY' } },
                            },
                            { match: { prefix: '/' }, route: { cluster: 'backend' } },
                          ],
                        },
                      ],
                    },
                    http_filters: [router],
                  },
                },
              ],
              transport_socket: {
                name: 'tls',
                typed_config: {
                  '@type': `${types}transport_sockets.tls.v3.DownstreamTlsContext`,
                  common_tls_context: {
                    tls_certificates: [
                      { certificate_chain: { filename: 'cert.pem' }, private_key: { filename: 'key.pem' } },
                    ],
                  },
                },
              },
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'backend',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'backend',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(8081) } }] }],
          },
        },
      ],
    },
  }
  change(json)
  return json
}
const listener = (json: any): any => json.static_resources.listeners[0]
const manager = (json: any): any => listener(json).filterChains[0].filters[0].typed_config
const host = (json: any): any => manager(json).route_config.virtual_hosts[0]
const chain = 'static_resources.listeners[0].filterChains[0]'

test('static resources, with files and variables read at the start', () => {
  const { value, problems } = decode(bootstrap())
  assert.deepEqual(problems, undefined)
  assert.deepEqual(value?.admin, { host: '127.0.0.1', port: 9901 })
  assert.deepEqual(value.node, {
    id: 'web-1',
    cluster: 'web',
    metadata: { a: [1, true] },
    locality: { region: '', zone: 'z', subZone: '' },
  })
  const first = value.given.LDS.get('web')?.filterChains[0]
  const certificate = first?.tls?.certificate
  assert.ok(typeof certificate === 'object' && 'keyPem' in certificate)
  assert.equal(certificate.keyPem, pair.keyPem)
  assert.ok(first?.terminal.kind === 'http' && 'inline' in first.terminal.routes)
  assert.equal(first.terminal.streamIdleTimeoutMs, 1500)
  const bodies = first.terminal.routes.inline.virtualHosts[0]?.routes.map(({ action }) =>
    action.kind === 'direct' ? action.body : '',
  )
  assert.deepEqual(bodies, ['from a file', 'from the environment', ''])
  assert.equal(value.given.CDS.get('backend')?.inline.endpoints[0]?.address.port, 8081)
  assert.equal(value.ads, undefined)
})

const ads = (json: any): void => {
  json.static_resources.clusters.push({
    name: 'xds',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${types}upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: 'xds',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(18000) } }] }],
    },
  })
  json.dynamic_resources = {
    lds_config: { ads: {}, resource_api_version: 'V3' },
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
    },
  }
}

test('where the proxy is among those like it, and that its own cluster must be there', async () => {
  const of = (name: string) =>
    bootstrap((json) => {
      json.cluster_manager = { local_cluster_name: name }
      json.node.locality = { region: 'eu', zone: 'z' }
    })
  const { value } = decode(of('backend'))
  assert.deepEqual(value?.place, { cluster: 'backend', locality: 'eu/z' })
  assert.equal(decode(bootstrap()).value?.place, undefined)
  assert.match(decode(of('none'))?.problems?.join() ?? '', /local_cluster_name: none is no cluster of static_resources/)
  const flow = createBootstrapFlow(value ?? assert.fail(), {
    version: '0',
    clock: manualClock(),
    random: seeded(1),
    log: silentLog,
  })
  assert.deepEqual(flow.config.value.place, { cluster: 'backend', locality: 'eu/z' })
  flow.close()
})

test('a control plane is a static cluster', () => {
  const { value, problems } = decode(bootstrap(ads))
  assert.equal(problems, undefined)
  assert.deepEqual(value?.ads, { cluster: 'xds', listeners: true, clusters: false })
})

const wrong: readonly { what: string; change: (json: any) => void; says: string | RegExp }[] = [
  {
    what: 'a field that does not exist',
    change: (json) => (listener(json).adress = {}),
    says: 'static_resources.listeners[0].adress: is no field of envoy.config.listener.v3.Listener',
  },
  {
    what: 'a field of the bootstrap that we do not know',
    change: (json) => (json.layered_runtime = { layers: [{ name: 'a', static_layer: {} }] }),
    says: 'layered_runtime: is not supported',
  },
  {
    what: 'a filter that we do not have',
    change: (json) =>
      manager(json).http_filters.unshift({ name: 'l', typed_config: { '@type': `${types}filters.http.lua.v3.Lua` } }),
    says: `${chain}.filters[0].typed_config.http_filters[0].typed_config: ${types}filters.http.lua.v3.Lua is not supported`,
  },
  {
    what: 'a field of a filter, deep inside',
    change: (json) => (host(json).routes[2].route.hedge_policy = { initial_requests: 2 }),
    says: /^static_resources\.listeners\[0\]\.filter_chains\[0\]\.filters\[0\]\.route_config\.virtual_hosts\[0\]\.routes\[2\]\.route\.hedge_policy\.initial_requests: is not supported$/,
  },
  {
    what: 'a wrong type',
    change: (json) => (listener(json).address.socket_address.port_value = 'eighty'),
    says: 'static_resources.listeners[0].address.socket_address.port_value: "eighty" is not uint32',
  },
  {
    what: 'a wrong enum',
    change: (json) => (json.static_resources.clusters[0].type = 'STATICK'),
    says: /clusters\[0\]\.type: "STATICK" is not STATIC, STRICT_DNS/,
  },
  {
    what: 'a wrong duration',
    change: (json) => (manager(json).stream_idle_timeout = 5),
    says: `${chain}.filters[0].typed_config.stream_idle_timeout: 5 is no Duration`,
  },
  {
    what: 'a list for a message',
    change: (json) => (json.admin = []),
    says: 'admin: expected envoy.config.bootstrap.v3.Admin, got a list',
  },
  {
    what: 'a file that cannot be read',
    change: (json) => (host(json).routes[0].direct_response.body.filename = 'gone'),
    says: /direct_response\.body\.filename: there is no gone$/,
  },
  {
    what: 'a variable that is not set',
    change: (json) => (host(json).routes[1].direct_response.body.environment_variable = 'GONE'),
    says: /environment_variable: GONE is not set$/,
  },
  {
    what: 'a cluster that is not there',
    change: (json) => (host(json).routes[2].route.cluster = 'other'),
    says: /^static_resources\.listeners \(web\): a route names the cluster other, which is not there/,
  },
  {
    what: 'two listeners of one address',
    change: (json) => json.static_resources.listeners.push({ ...listener(json), name: 'again' }),
    says: 'static_resources.listeners: again has the address of web, tcp 127.0.0.1:8080',
  },
  {
    what: 'routes from a control plane that is not there',
    change: (json) => {
      delete manager(json).route_config
      manager(json).rds = { route_config_name: 'r', config_source: { ads: {} } }
    },
    says: 'static_resources.listeners (web): takes the routes r from ads, and there is no ads_config',
  },
  {
    what: 'the certificate of an agent',
    change: (json) => {
      listener(json).filterChains[0].transport_socket.typed_config.common_tls_context = {
        tls_certificate_sds_secret_configs: [{ name: 'clients' }],
      }
    },
    says: 'static_resources.listeners (web): names the secret clients, which is not there',
  },
  {
    what: 'state of the world',
    change: (json) => {
      ads(json)
      json.dynamic_resources.ads_config.api_type = 'GRPC'
    },
    says: 'dynamic_resources.ads_config.api_type: expected DELTA_GRPC, the only one that is supported',
  },
  {
    what: 'a control plane without HTTP/2',
    change: (json) => {
      ads(json)
      delete json.static_resources.clusters[1].typed_extension_protocol_options
    },
    says: /^dynamic_resources\.ads_config: the cluster xds does not say http2_protocol_options/,
  },
  {
    what: 'no listener at all',
    change: (json) => (json.static_resources.listeners = []),
    says: /^static_resources\.listeners: expected at least one/,
  },
]
for (const { what, change, says } of wrong)
  test(`refused by its path: ${what}`, () => {
    const { problems } = decode(bootstrap(change))
    if (typeof says === 'string') assert.deepEqual(problems, [says])
    else assert.match(problems?.[0] ?? '', says)
    assert.equal(problems?.length, 1)
  })

const agent = (json: any): void => {
  json.static_resources.clusters.push({
    name: 'agent',
    http2_protocol_options: {},
    load_assignment: {
      cluster_name: 'agent',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: '/run/agent.sock' } } } }] }],
    },
  })
  const common = listener(json).filterChains[0].transport_socket.typed_config.common_tls_context
  delete common.tls_certificates
  common.tls_certificate_sds_secret_configs = [
    {
      name: 'spiffe://a/b',
      sds_config: {
        resource_api_version: 'V3',
        api_config_source: {
          api_type: 'GRPC',
          transport_api_version: 'V3',
          grpc_services: [{ envoy_grpc: { cluster_name: 'agent' } }],
        },
      },
    },
  ]
}
const secretOf = (json: any): any =>
  listener(json).filterChains[0].transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret_configs[0]
const agentCluster = (json: any): any => json.static_resources.clusters[1]

test('a server on a Unix socket brings secrets, and may bring all else', () => {
  const { value, problems } = decode(bootstrap(agent))
  assert.deepEqual(problems, undefined)
  assert.deepEqual(value?.given.CDS.get('agent')?.inline.endpoints[0]?.address, { host: '/run/agent.sock', port: 0 })
  assert.deepEqual(serverTarget('agent', value), { unix: '/run/agent.sock' })
  assert.deepEqual(value.given.LDS.get('web')?.filterChains[0]?.tls?.certificate, {
    secret: sdsSecret({ cluster: 'agent', name: 'spiffe://a/b' }),
  })
  const byPipe = decode(
    bootstrap((json) => {
      agent(json)
      ads(json)
      json.dynamic_resources.ads_config.grpc_services[0].envoy_grpc.cluster_name = 'agent'
    }),
  )
  assert.equal(byPipe.value?.ads?.cluster, 'agent')
})

const wrongServers: readonly (readonly [what: string, change: (json: any) => void, says: RegExp])[] = [
  [
    'a server that is not there',
    (json) => (secretOf(json).sds_config.api_config_source.grpc_services[0].envoy_grpc.cluster_name = 'other'),
    /takes a secret from a server that cannot be asked: other is no cluster of static_resources/,
  ],
  [
    'a server that speaks HTTP/1.1',
    (json) => (secretOf(json).sds_config.api_config_source.grpc_services[0].envoy_grpc.cluster_name = 'backend'),
    /the cluster backend does not say http2_protocol_options/,
  ],
  [
    'another variant of the protocol',
    (json) => (secretOf(json).sds_config.api_config_source.api_type = 'REST'),
    /tls_certificate_sds_secret_configs\[0\]\.sds_config\.api_config_source\.api_type: expected GRPC/,
  ],
  [
    'a wait of its own',
    (json) => (secretOf(json).sds_config.initial_fetch_timeout = '1s'),
    /sds_config\.initial_fetch_timeout: is not supported/,
  ],
  [
    'a socket without gRPC',
    (json) => delete agentCluster(json).http2_protocol_options,
    /the cluster agent does not say http2_protocol_options/,
  ],
  [
    'a socket in no file',
    (json) =>
      (agentCluster(json).load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path = '@abstract'),
    /the cluster agent leads to @abstract, and not to the path of a socket/,
  ],
]
for (const [what, change, says] of wrongServers)
  test(`servers of secrets: ${what} is refused`, () => {
    const { problems } = decode(
      bootstrap((json) => {
        agent(json)
        change(json)
      }),
    )
    assert.match(problems?.[0] ?? 'taken', says)
    assert.equal(problems?.length, 1)
  })

test('every problem is told at once', () => {
  const { problems } = decode(
    bootstrap((json) => {
      json.node.ID = 1
      listener(json).nme = 2
      json.static_resources.clusters[0].connect_timeout = 'soon'
    }),
  )
  assert.equal(problems?.length, 3)
})

test('whatever stands in the file, it is taken or refused, and nothing is thrown', () => {
  const random = seeded(7)
  const odd: readonly unknown[] = [
    null,
    [],
    {},
    '',
    'x',
    -1,
    1e99,
    true,
    [[]],
    { '@type': 'x' },
    { '@type': 5 },
    NaN,
    undefined,
  ]
  const places = (value: unknown, found: [any, string][] = []): [any, string][] => {
    if (typeof value !== 'object' || value === null) return found
    for (const key of Object.keys(value)) {
      found.push([value, key])
      places((value as Record<string, unknown>)[key], found)
    }
    return found
  }
  for (let round = 0; round < 2_000; round++) {
    const json = bootstrap(ads)
    for (let times = 0; times <= random.below(2); times++) {
      const all = places(json)
      const [parent, key] = all[Math.floor(random.below(all.length))] ?? [{}, '']
      parent[key] = odd[Math.floor(random.below(odd.length))]
    }
    const result = decode(json)
    assert.ok(result.value !== undefined || (result.problems?.length ?? 0) > 0)
  }
  let tower: any = { any: true }
  for (let depth = 0; depth < 20_000; depth++) tower = { not_rule: tower }
  const deep = bootstrap((json) =>
    manager(json).http_filters.unshift({
      name: 'rbac',
      typed_config: {
        '@type': `${types}filters.http.rbac.v3.RBAC`,
        rules: { policies: { p: { permissions: [tower], principals: [{ any: true }] } } },
      },
    }),
  )
  assert.match(decode(deep).problems?.[0] ?? '', /more than 100 messages deep/)
  for (const value of odd) assert.ok('problems' in decode(value))
})
