import grpc from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { formatAddress, type Address } from '../base/address.ts'
import { typeUrls } from '../xds/type-urls.ts'
import { startBare } from './testing/start-bare.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { eventually, program } from './testing/world.ts'
import { testAdsServer } from './xds/testing/ads-server.ts'
import { testSdsServer } from './xds/testing/sds-server.ts'
import { edsCluster, endpoints, listener, loopback, routesTo } from './xds/testing/resources.ts'

const types = 'type.googleapis.com/envoy.extensions.'
const socket = ({ host, port }: Address): object => ({ socket_address: { address: host, port_value: port } })
const echo = (t: TestContext): Promise<Address> =>
  program(t, (one) => one.on('data', () => one.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\necho')))
const cluster = (name: string, at: Address, more: object = {}): object => ({
  name,
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(at) } }] }] },
  ...more,
})
const tcpListener = (at: Address, to: string): object => ({
  name: 'raw',
  address: socket(at),
  filter_chains: [
    {
      filters: [
        {
          name: 'tcp',
          typed_config: { '@type': `${types}filters.network.tcp_proxy.v3.TcpProxy`, stat_prefix: 'raw', cluster: to },
        },
      ],
    },
  ],
})

test('static resources: it binds its own sockets, and the admin port tells', async (t) => {
  const proxy = startBare(t, {
    static_resources: {
      listeners: [tcpListener({ host: '127.0.0.1', port: 0 }, 'echo')],
      clusters: [cluster('echo', await echo(t))],
    },
  })
  const started = await proxy.started
  assert.ok(!('failed' in started))
  const [at] = started.listeners
  assert.ok(at !== undefined && at.port > 0)
  assert.equal(await (await fetch(`http://${formatAddress(at)}/`)).text(), 'echo')
  const admin = `http://${formatAddress(started.admin ?? at)}`
  assert.equal((await fetch(`${admin}/ready`)).status, 200)
  assert.match(await (await fetch(`${admin}/config_dump`)).text(), /"raw"/)
  await proxy.drain(100)
  await assert.rejects(fetch(`http://${formatAddress(at)}/`))
})

test('an address that another program has ends the start with a sentence', async (t) => {
  const taken = await echo(t)
  const { started } = startBare(t, {
    static_resources: { listeners: [tcpListener(taken, 'echo')], clusters: [cluster('echo', taken)] },
  })
  assert.deepEqual(await started, { failed: `cannot listen on ${formatAddress(taken)}: another program has it` })
})

const h2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${types}upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

test('a foreign control plane is asked as Envoy asks; static resources stay', async (t) => {
  const server = await testAdsServer(t, grpc.ServerCredentials.createInsecure())
  const backend = await echo(t)
  const { started } = startBare(t, {
    node: { id: 'one', cluster: 'two', metadata: { color: 'blue' } },
    static_resources: { clusters: [cluster('xds', { host: '127.0.0.1', port: server.port }, h2)] },
    dynamic_resources: {
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
    },
  })
  const first = await server.next(() => true, 'anything')
  assert.deepEqual([first.typeUrl, first.resourceNamesSubscribe], [typeUrls.LDS, []])
  assert.equal(first.node?.id, 'one')
  assert.equal(first.node.metadata?.['color'], 'blue')
  const second = await server.next(() => true, 'the next')
  assert.deepEqual([second.typeUrl, second.resourceNamesSubscribe], [typeUrls.CDS, []])

  const refused = server.send('CDS', [edsCluster('xds'), edsCluster('web')])
  assert.match((await server.answer(refused)).errorDetail?.message ?? '', /xds: stands in the bootstrap/)
  await server.subscription('EDS', 'web')
  server.send('EDS', [endpoints('web', [backend.port])])
  server.send('LDS', [listener('web', { named: 'routes' }, { address: loopback(0) })])
  await server.subscription('RDS', 'routes')
  server.send('RDS', [routesTo('routes', 'web')])
  const addresses = await started
  assert.ok(!('failed' in addresses))
  const [at] = addresses.listeners
  assert.ok(at !== undefined)
  assert.equal(await (await fetch(`http://${formatAddress(at)}/`)).text(), 'echo')
})

/** The certificate that is shown at an address, and whether this bundle vouches for it. */
const shownAt = ({ host, port }: Address, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port, ca, checkServerIdentity: () => undefined }, () => {
      resolve(socket.getPeerX509Certificate()?.subjectAltName ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })

test('certificates from a server on a Unix socket: waited for, and shown anew when they change', async (t) => {
  const authority = await createTestAuthority()
  const server = await testSdsServer(t, {})
  const listener: any = tcpListener({ host: '127.0.0.1', port: 0 }, 'echo')
  listener.filter_chains[0].transport_socket = {
    name: 'tls',
    typed_config: {
      '@type': `${types}transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        tls_certificate_sds_secret_configs: [
          {
            name: 'own',
            sds_config: {
              api_config_source: {
                api_type: 'GRPC',
                transport_api_version: 'V3',
                grpc_services: [{ envoy_grpc: { cluster_name: 'agent' } }],
              },
            },
          },
        ],
      },
    },
  }
  const agent = {
    name: 'agent',
    ...h2,
    load_assignment: {
      cluster_name: 'agent',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: server.unix } } } }] }],
    },
  }
  const { started } = startBare(t, {
    static_resources: { listeners: [listener], clusters: [cluster('echo', await echo(t)), agent] },
  })
  await eventually(() => server.requests.length > 0)
  server.set({ own: await authority.issue('dns:one.example') })
  const addresses = await started
  assert.ok(!('failed' in addresses))
  const [at] = addresses.listeners
  assert.ok(at !== undefined)
  assert.equal(await shownAt(at, authority.bundlePem), 'DNS:one.example')
  server.set({ own: await authority.issue('dns:two.example') })
  await eventually(() => server.requests.at(-1)?.versionInfo === '3')
  assert.equal(await shownAt(at, authority.bundlePem), 'DNS:two.example')
})
