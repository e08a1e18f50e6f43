import grpc from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { testAdsServer, resource } from '../../src/proxy/xds/testing/ads-server.ts'
import { edsCluster, endpoints, listener, loopback, routesTo } from '../../src/proxy/xds/testing/resources.ts'
import { Cluster_DiscoveryType, ClusterSchema } from '../../src/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { canCapture, captured, ourselves, sidecarsOf } from '../world/capturing.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, type GatewayInstance, type Workload, type World } from '../world/world.ts'

const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
`
const route = (filters = ''): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec: { parentRefs: [{ name: edge }], rules: [{ ${filters} backendRefs: [{ name: web, port: 80 }] }] }
---
`
const marked = `filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-marked, value: 'yes' }] } }],`

/** Series of a name, by the value of their label `worker`; "" without. */
async function figures(
  { adminUrl }: { readonly adminUrl: string },
  name: string,
): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text()
  const found = new Map<string, number>()
  for (const [, labels = '', value] of text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))) {
    const worker = /worker="(\d+)"/.exec(labels)?.[1] ?? ''
    found.set(worker, (found.get(worker) ?? 0) + Number(value))
  }
  return found
}
const total = async (of: { readonly adminUrl: string }, name: string): Promise<number> =>
  [...(await figures(of, name)).values()].reduce((sum, one) => sum + one, 0)

interface WorkerState {
  readonly worker: number
  readonly process: number
  readonly revision: string
}
async function workersOf({ adminUrl }: { readonly adminUrl: string }): Promise<readonly WorkerState[]> {
  const dump = (await (await fetch(`${adminUrl}/config_dump`)).json()) as { workers: readonly WorkerState[] }
  return dump.workers
}

/** Two of them are there, and none is the one that was killed. */
const startedAgain = (of: { readonly adminUrl: string }, killed: number | undefined): Promise<unknown> =>
  until('it is started again', async () => {
    const now = await workersOf(of)
    return now.length === 2 && now.every(({ process }) => process !== killed)
  })

/** Status → how many, of `requests` on `connections`. */
async function h2load(
  url: string,
  { requests, connections }: { requests: number; connections: number },
): Promise<string> {
  const args = ['--h1', '-n', String(requests), '-c', String(connections), url]
  const { stdout } = await promisify(execFile)('h2load', args, { timeout: 60_000 })
  return /status codes: (.*)/.exec(stdout)?.[1] ?? stdout
}

async function edgeAndWeb(
  t: Parameters<typeof createWorld>[0],
  { edge: edgeWorkers, web: webWorkers }: { edge: number; web: number },
): Promise<{ world: World; edge: GatewayInstance; web: Workload; url: string }> {
  const world = createWorld(t)
  await world.up()
  const [edge, web] = await Promise.all([
    world.gateway('edge', { args: ['--workers', String(edgeWorkers)] }),
    world.run('web', { args: ['--workers', String(webWorkers)] }),
  ])
  await world.apply(gateway + route())
  const url = `http://${edge.address}/`
  await world.curlUntil(undefined, url, 200)
  await until('it is ready', async () => (await fetch(`${edge.adminUrl}/ready`)).status === 200)
  return { world, edge, web, url }
}

test('workers: all of them serve, one busy peer uses all of its callee, and they answer as one proxy', async (t) => {
  if (!requires(t, 'curl', 'h2load', 'linux')) return
  const { world, edge, web, url } = await edgeAndWeb(t, { edge: 2, web: 3 })
  const before = { edge: await total(edge, 'weft_requests_total'), web: await total(web, 'weft_requests_total') }
  // Long enough for connections to be evened out.
  assert.match(await h2load(url, { requests: 48_000, connections: 16 }), /^48000 2xx, 0 3xx, 0 4xx, 0 5xx/)
  for (const [side, of] of Object.entries({ edge, web })) {
    const wanted = before[side as 'edge' | 'web'] + 48_000
    await until(`${side} has counted all`, async () => (await total(of, 'weft_requests_total')) >= wanted)
    assert.equal(await total(of, 'weft_requests_total'), wanted, side)
    assert.equal(await total(of, 'weft_request_duration_seconds_count'), wanted, side)
    assert.equal(await total(of, 'weft_active_requests'), 0)
  }
  const served = {
    edge: await figures(edge, 'weft_worker_requests_total'),
    web: await figures(web, 'weft_worker_requests_total'),
  }
  assert.deepEqual([...served.edge.keys()], ['0', '1'])
  assert.deepEqual([...served.web.keys()], ['0', '1', '2'])
  for (const count of served.edge.values()) assert.ok(count > 6000, JSON.stringify([...served.edge]))
  for (const count of served.web.values()) assert.ok(count > 2400, JSON.stringify([...served.web]))

  const states = await workersOf(web)
  assert.deepEqual(
    states.map(({ worker }) => worker),
    [0, 1, 2],
  )
  assert.equal(new Set(states.map(({ process }) => process)).size, 3)
  const clusters = (await (await fetch(`${edge.adminUrl}/clusters`)).json()) as {
    name: string
    endpoints: { address: string; connections: number }[]
  }[]
  const endpoints = clusters.find(({ name }) => name === 'default/web/80')?.endpoints ?? []
  assert.equal(endpoints.length, 1, 'each endpoint once')
  assert.ok((endpoints[0]?.connections ?? 0) >= 3, 'both callers together have as many connections as it has workers')
  const { out } = await world.weft(['proxies'])
  assert.equal(out.match(new RegExp(web.name, 'g'))?.length, 1, 'one proxy')
  assert.match(out, new RegExp(`${web.name} \\(3 workers\\) `))
  const explained = await world.weft(['explain', '--from', 'edge', 'GET', url])
  assert.match(explained.out, /HTTPRoute default\/web/, explained.err)
})

test('workers: one is killed under load and nothing fails; configuration goes on, and it comes back with its figures', async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const { world, edge, web, url } = await edgeAndWeb(t, { edge: 2, web: 2 })
  const load = startSteadyLoad(url, { ratePerSecond: 100 })
  t.after(() => load.stop())
  await load.more(100)
  const counted = await total(web, 'weft_requests_total')
  const [first] = await workersOf(web)
  process.kill(first?.process ?? 0, 'SIGKILL')
  await world.apply(route(marked))
  await load.more(200)
  await startedAgain(web, first?.process)
  assert.ok((await total(web, 'weft_requests_total')) >= counted, 'what was seen of it does not go back')
  const wanted = (await workersOf(edge)).map(({ revision }) => revision)
  assert.equal(new Set(wanted).size, 1, `in force everywhere: ${wanted.join()}`)
  for (let call = 0; call < 8; call++) {
    const reply = await world.curl(undefined, url)
    assert.deepEqual(reply.headers['x-marked'], ['yes'])
  }
  await load.stop()
  assert.deepEqual(load.failures(), [])
})

test('workers: all are replaced under load, and stop, without a failure', async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const { world, edge, web, url } = await edgeAndWeb(t, { edge: 2, web: 2 })
  const old = [...(await workersOf(edge)), ...(await workersOf(web))].map(({ process }) => process)
  const load = startSteadyLoad(url, { ratePerSecond: 100 })
  t.after(() => load.stop())
  await load.more(50)
  for (const name of [web.name, edge.name]) {
    const { status, out, err } = await world.weft(['upgrade', name, '--finish', '60s'])
    assert.equal(status, 0, err)
    assert.match(out, /processes \d+, \d+ serve after \d+ ms; \d+, \d+ finish what they have and end/)
    await load.more(50)
  }
  const other = await world.run('web', { args: ['--workers', '2'] })
  await world.curlUntil(undefined, url, 200)
  await until('the other one has calls', async () => (await total(other, 'weft_requests_total')) > 0)
  assert.equal(await web.stop(), 0)
  await load.more(100)
  await load.stop()
  assert.deepEqual(load.failures(), [])
  await until('the old workers have ended', () => old.every((pid) => !fs.existsSync(`/proc/${pid}`)))
  assert.equal(await edge.stop(), 0)
})

test('workers of weft proxy: one stream to any control plane, which hears of a refusal by name, and the last good stays', async (t) => {
  if (!requires(t, 'h2load', 'linux')) return
  const world = createWorld(t)
  const server = await testAdsServer(t, grpc.ServerCredentials.createInsecure())
  const backend = http.createServer((_, response) => response.end('backend')).listen(0, '127.0.0.1')
  await once(backend, 'listening')
  t.after(() => backend.close())
  const { port } = backend.address() as AddressInfo
  const socketAddress = (to: number): object => ({ socket_address: { address: '127.0.0.1', port_value: to } })
  const file = world.file(
    'bootstrap.json',
    JSON.stringify({
      node: { id: 'one', cluster: 'proxies' },
      admin: { address: socketAddress(0) },
      dynamic_resources: {
        ads_config: {
          api_type: 'DELTA_GRPC',
          transport_api_version: 'V3',
          grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
        },
        cds_config: { ads: {}, resource_api_version: 'V3' },
        lds_config: { ads: {}, resource_api_version: 'V3' },
      },
      static_resources: {
        clusters: [
          {
            name: 'xds',
            typed_extension_protocol_options: {
              'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
                '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
                explicit_http_config: { http2_protocol_options: {} },
              },
            },
            load_assignment: {
              cluster_name: 'xds',
              endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(server.port) } }] }],
            },
          },
        ],
      },
    }),
  )
  const child = world.start('weft proxy', ['proxy', '-c', file, '--workers', '3'])
  await server.next((one) => one.typeUrl === typeUrls.CDS, 'clusters')
  const accepted = server.send('CDS', [edsCluster('web')])
  await server.subscription('EDS', 'web')
  server.send('EDS', [endpoints('web', [port])])
  assert.equal((await server.answer(accepted)).errorDetail, undefined)
  server.send('LDS', [listener('web', { named: 'routes' }, { address: loopback(0) })])
  await server.subscription('RDS', 'routes')
  server.send('RDS', [routesTo('routes', 'web')])
  const [, on = '', admin = ''] = await child.said(/serving on=(\S+) admin=(\S+)/)
  const adminUrl = `http://${admin}`
  assert.match(await h2load(`http://${on}/`, { requests: 3000, connections: 9 }), /^3000 2xx/)
  assert.equal(await total({ adminUrl }, 'weft_requests_total'), 3000)
  const served = await figures({ adminUrl }, 'weft_worker_requests_total')
  assert.equal(served.size, 3)
  for (const count of served.values()) assert.ok(count > 600, JSON.stringify([...served]))

  const bad = resource('bad', ClusterSchema, {
    name: 'bad',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
  })
  const refused = server.send('CDS', [bad])
  assert.match((await server.answer(refused)).errorDetail?.message ?? '', /^bad: /)
  const [first] = await workersOf({ adminUrl })
  server.quiet()
  process.kill(first?.process ?? 0, 'SIGKILL')
  await until('it is started again', async () => {
    const now = await workersOf({ adminUrl })
    return now.length === 3 && now.every(({ process }) => process !== first?.process)
  })
  assert.match(await h2load(`http://${on}/`, { requests: 900, connections: 9 }), /^900 2xx/)
  assert.equal(await total({ adminUrl }, 'weft_requests_total'), 3900)
  assert.equal(server.streams, 1, 'nobody asked the control plane again')
  child.signal('SIGTERM')
  assert.equal(await child.ended, 0)
})

test('workers of weft proxy: an address that another program has is refused, and nothing is left', async (t) => {
  const world = createWorld(t)
  const taken = http.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const address = { socket_address: { address: '127.0.0.1', port_value: port } }
  const filter = {
    name: 'tcp',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      stat_prefix: 'raw',
      cluster: 'nobody',
    },
  }
  const file = world.file(
    'bootstrap.json',
    JSON.stringify({
      static_resources: {
        listeners: [{ name: 'raw', address, filter_chains: [{ filters: [filter] }] }],
        clusters: [{ name: 'nobody' }],
      },
    }),
  )
  const { status, err } = await world.weft(['proxy', '-c', file, '--workers', '2'])
  assert.equal(status, 1)
  assert.match(err, new RegExp(`127\\.0\\.0\\.1:${port}: the port is in use`))
  const wrong = await world.weft(['proxy', '-c', file, '--workers', 'many'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.err, /--workers is a number from 1 to 32, or auto/)
})

test('workers: what is captured in a namespace goes on, names and calls, while one of them is killed and all are replaced', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = createWorld(t)
  await world.up()
  const web = await world.run('web', { args: [...captured, '--workers', '2'] })
  // Each call is a program of its own kind: a name that is asked for anew, and a connection that is captured anew.
  const calls = 'while true; do curl -sS --max-time 10 -o /dev/null -w "%{http_code}\\n" http://web/; done'
  const args = ['run', '--service', 'client', '--workers', '2', ...captured, '--', 'sh', '-c', calls]
  const client = world.start('weft run client', args)
  const codes = (): readonly string[] => client.out.trim().split('\n')
  const more = async (count: number): Promise<void> => {
    const wanted = codes().length + count
    await until('more calls are answered', () => codes().length >= wanted)
  }
  await more(20)
  const [first] = sidecarsOf(web.child.pid)
  process.kill(first ?? 0, 'SIGKILL')
  await more(20)
  await startedAgain(web, first)
  for (const name of ['web', 'client']) {
    const { status, err } = await world.weft(['upgrade', name])
    assert.equal(status, 0, err)
    await more(10)
  }
  assert.deepEqual(
    codes().filter((code) => code !== '200'),
    [],
    client.err,
  )
  const served = await figures(web, 'weft_worker_requests_total')
  for (const count of served.values()) assert.ok(count > 0, JSON.stringify([...served]))
})
