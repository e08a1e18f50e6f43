import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog, type Log } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Watchable } from '../../base/watchable.ts'
import { Cluster_LbPolicy, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema as AggregateSchema } from '../../xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { createAdsClient } from '../../xds/ads-client.ts'
import { connectGrpc } from '../../xds/grpc-client.ts'
import { packAny } from '../../xds/any.ts'
import { typeUrls } from '../../xds/type-urls.ts'
import type { Clock } from '../../base/clock.ts'
import { createConfigFlow, type ConfigFlow } from './config-flow.ts'
import { resource, testAdsServer, type TestAdsServer } from './testing/ads-server.ts'
import { edsCluster, endpoints, listener, routesTo, service } from './testing/resources.ts'

const web = 'default/web/80'
const mesh = (): Parameters<TestAdsServer['serve']>[0] => ({
  LDS: [listener('outbound', { cluster: 'own' })],
  NDS: [service('default', 'web', { 80: 'http', 5432: 'tcp' })],
  RDS: [routesTo(web, web)],
  CDS: [edsCluster('own'), edsCluster(web), edsCluster('default/web/5432')],
  EDS: [endpoints('own', [1000]), endpoints(web, [8001]), endpoints('default/web/5432', [8002])],
})

function flowTo(
  t: TestContext,
  { unix }: TestAdsServer,
  { clock = systemClock, log = silentLog, used = [] }: { clock?: Clock; log?: Log; used?: string[] } = {},
): ConfigFlow {
  const flow = createConfigFlow({
    source: (receiver) =>
      createAdsClient({
        ...receiver,
        connect: () => connectGrpc({ unix }, { clock: systemClock, log: silentLog }),
        node: { id: 'default/web-1', cluster: 'web', version: '0.0.0-test' },
        clock,
        random: seeded(1),
        log,
      }),
    clock,
    log,
    used,
  })
  t.after(() => flow.close())
  return flow
}

/** The first value for which `holds`, now or later. */
function until<T>(watchable: Watchable<T>, holds: (value: T) => boolean, what = holds.toString()): Promise<T> {
  return new Promise((resolve, reject) => {
    if (holds(watchable.value)) return resolve(watchable.value)
    const timer = setTimeout(() => reject(new Error(`never came: ${what}`)), 4_000)
    const stop = watchable.watch((value) => {
      if (!holds(value)) return
      clearTimeout(timer)
      stop()
      resolve(value)
    })
  })
}
const portsOf = (flow: ConfigFlow, cluster: string): number[] | undefined =>
  flow.config.value.clusters.get(cluster)?.endpoints.map(({ address }) => address.port)
const clusterOf = (flow: ConfigFlow, table: string): string | undefined => {
  const action = flow.config.value.routes.get(table)?.virtualHosts[0]?.routes[0]?.action
  return action?.kind === 'forward' ? action.clusters[0]?.cluster : undefined
}

test('the first configuration comes whole, introduced once, and is acknowledged', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  const first = await server.subscription('LDS', '*')
  assert.equal(first.node?.id, 'default/web-1')
  assert.deepEqual(first.node?.metadata, { WEFT_VERSION: '0.0.0-test' })
  await flow.ready
  const { listeners, clusters, names } = flow.config.value
  assert.deepEqual([...listeners.keys()], ['outbound'])
  assert.deepEqual([...clusters.keys()], ['own'])
  assert.deepEqual([...names.keys()], ['default/web'])
  assert.deepEqual(portsOf(flow, 'own'), [1000])
  const named = await server.subscription('CDS', 'own')
  assert.equal(named.node, undefined)
  for (const nonce of ['n1', 'n2', 'n3']) assert.equal((await server.answer(nonce)).errorDetail, undefined)
})

test('an update replaces what changed; the rest are the same objects', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  assert.equal(await flow.demand(web), true)
  const before = flow.config.value
  const nonce = server.send('EDS', [endpoints(web, [8001, 8003], {}, '2')])
  const after = await until(flow.config, ({ clusters }) => clusters.get(web)?.endpoints.length === 2)
  assert.equal(after.listeners, before.listeners)
  assert.equal(after.routes, before.routes)
  assert.equal(after.clusters.get('own'), before.clusters.get('own'))
  assert.equal(after.clusters.get(web)?.endpoints[0], before.clusters.get(web)?.endpoints[0])
  await server.answer(nonce)
  // The same again, in another version: nothing to tell.
  await server.answer(server.send('EDS', [endpoints(web, [8001, 8003], {}, '3')]))
  assert.equal(flow.config.value, after)
})

test('what cannot be done is refused with its place; the good parts of the response are taken', async (t) => {
  const server = await testAdsServer(t)
  server.serve({
    ...mesh(),
    NDS: [service('default', 'web', { 80: 'http' }), service('default', 'api', { 80: 'http' })],
  })
  const flow = flowTo(t, server)
  await flow.ready
  const found = [flow.demand(web), flow.demand('default/api/80')]
  assert.equal(await found[0], true)
  const good = routesTo('default/api/80', 'own')
  const bad = resource(web, RouteConfigurationSchema, {
    name: web,
    virtualHosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: { case: 'nonForwardingAction', value: {} },
          },
          {
            action: {
              case: 'route',
              value: { pathRewrite: '/x', clusterSpecifier: { case: 'cluster', value: 'own' } },
            },
          },
        ],
      },
    ],
  })
  // Its own demand was answered "does not exist"; ask again, now it is there.
  assert.equal(await found[1], false)
  server.quiet()
  const later = flow.demand('default/api/80')
  const nack = await server.answer(server.send('RDS', [good, bad]))
  assert.equal(nack.errorDetail?.code, 3)
  assert.match(
    nack.errorDetail?.message ?? '',
    /default\/web\/80: virtual_hosts\[0\]\.routes\[0\]\.non_forwarding_action: is not supported/,
  )
  assert.match(nack.errorDetail?.message ?? '', /routes\[1\]\.route\.path_rewrite: is not supported/)
  assert.match(nack.errorDetail?.message ?? '', /routes\[1\]\.match: is missing/)
  assert.equal(clusterOf(flow, web), web)
  assert.equal(await later, true)
  assert.equal(clusterOf(flow, 'default/api/80'), 'own')
  assert.match(JSON.stringify(flow.state()), /path_rewrite/)
})

test('bytes, types and names that make no sense are refused, and the next good response is taken', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  const before = flow.config.value
  const refusal = async (nonce: string): Promise<string> => (await server.answer(nonce)).errorDetail?.message ?? ''
  const junk = { typeUrl: typeUrls.CDS, value: Uint8Array.from([255, 255, 255, 1, 2]) }
  assert.match(await refusal(server.send('CDS', [{ name: 'own', any: junk }])), /own: the bytes are no .*Cluster/)
  const other = endpoints('own', [1]).any
  assert.match(await refusal(server.send('CDS', [{ name: 'own', any: other }])), /own: is a .*ClusterLoadAssignment/)
  const misnamed = { ...edsCluster('else'), name: 'own' }
  assert.match(await refusal(server.send('CDS', [misnamed])), /name: is else/)
  assert.match(await refusal(server.send('CDS', [edsCluster('own'), edsCluster('own')])), /own: is there twice/)
  server.sendRaw({ typeUrl: 'type.googleapis.com/envoy.Nothing', nonce: 'odd' })
  assert.match(await refusal('odd'), /unknown type/)
  assert.equal(flow.config.value, before)
  assert.equal(await refusal(server.send('EDS', [endpoints('own', [1001], {}, '2')])), '')
  assert.deepEqual(portsOf(flow, 'own'), [1001])
})

test('a route table waits for its new cluster, in whatever order they come; its ACK waits too; the old one is kept for a while', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const clock = manualClock()
  const flow = flowTo(t, server, { clock })
  await flow.ready
  assert.equal(await flow.demand(web), true)
  server.quiet()
  const seen: (string | undefined)[] = []
  flow.config.watch((config) => {
    const cluster = clusterOf(flow, web)
    seen.push(cluster)
    // Never a table without its cluster.
    assert.ok(cluster === undefined || config.clusters.has(cluster), `${cluster} is not there`)
  })
  const early = server.answer(server.send('RDS', [routesTo(web, 'v2', '2')]))
  await server.subscription('CDS', 'v2')
  // In the same breath: endpoints have the name of their cluster.
  await server.subscription('EDS', 'v2')
  assert.equal(clusterOf(flow, web), web)
  await server.answer(server.send('CDS', [edsCluster('v2')]))
  assert.equal(clusterOf(flow, web), web)
  assert.equal(await Promise.race([early.then(() => 'acknowledged'), Promise.resolve('open')]), 'open')
  server.send('EDS', [endpoints('v2', [9000])])
  assert.equal((await early).errorDetail, undefined)
  assert.equal(clusterOf(flow, web), 'v2')
  // Back and forth, and nobody is asked.
  for (const back of [web, 'v2']) {
    assert.equal((await server.answer(server.send('RDS', [routesTo(web, back, `3 ${back}`)]))).errorDetail, undefined)
    assert.equal(clusterOf(flow, web), back)
  }
  clock.advance(599_000)
  flow.forgetUnused(new Set([web]), () => false)
  assert.deepEqual([...flow.config.value.clusters.keys()], ['own', web, 'v2'])
  clock.advance(1_000)
  flow.forgetUnused(new Set([web]), () => false)
  const unsubscribed = await server.next((one) => one.resourceNamesUnsubscribe.includes(web), 'unsubscribe')
  assert.equal(unsubscribed.typeUrl, typeUrls.CDS)
  assert.deepEqual([...flow.config.value.clusters.keys()], ['own', 'v2'])
})

test('the wait ends after five seconds, aloud; a cluster that the server denies is not waited for', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const clock = manualClock()
  const warnings: string[] = []
  const log: Log = {
    ...silentLog,
    named: () => log,
    warn: (sentence, fields) => warnings.push(`${sentence} ${fields?.['missing']}`),
  }
  const flow = flowTo(t, server, { clock, log })
  await flow.ready
  assert.equal(await flow.demand(web), true)
  server.quiet()
  const acknowledged = server.answer(server.send('RDS', [routesTo(web, 'never', '2')]))
  await server.subscription('CDS', 'never')
  clock.advance(4_999)
  assert.equal(clusterOf(flow, web), web)
  clock.advance(1)
  assert.equal(clusterOf(flow, web), 'never')
  await acknowledged
  assert.match(warnings.join(), /without all that it names.*cluster never/)

  server.send('RDS', [routesTo(web, 'denied', '3')])
  await server.subscription('CDS', 'denied')
  await server.answer(server.send('CDS', [], ['denied']))
  assert.equal(clusterOf(flow, web), 'denied')
})

test('on demand: HTTP by its routes, TCP by its cluster, and what does not exist', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  assert.deepEqual([...flow.config.value.routes.keys()], [])
  const [http, again, tcp, port, service_] = await Promise.all([
    flow.demand(web),
    flow.demand(web),
    flow.demand('default/web/5432'),
    flow.demand('default/web/81'),
    flow.demand('default/nobody/80'),
  ])
  assert.deepEqual([http, again, tcp, port, service_], [true, true, true, false, false])
  assert.equal(clusterOf(flow, web), web)
  assert.deepEqual(portsOf(flow, 'default/web/5432'), [8002])
  assert.ok(!flow.config.value.routes.has('default/web/5432'))

  // The service goes: what was held for it goes too, and comes back with it.
  await server.answer(server.send('NDS', [], ['default/web']))
  assert.equal(flow.config.value.routes.size, 0)
  assert.deepEqual([...flow.config.value.clusters.keys()], ['own'])
  server.send('NDS', [service('default', 'web', { 80: 'http' })])
  await until(flow.config, ({ routes }) => routes.has(web))
})

test('a demand that nobody answers is over after five seconds', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const clock = manualClock()
  const flow = flowTo(t, server, { clock })
  await flow.ready
  server.quiet()
  const answer = flow.demand(web)
  await server.subscription('RDS', web)
  clock.advance(4_999)
  assert.equal(await Promise.race([answer, Promise.resolve('open')]), 'open')
  clock.advance(1)
  assert.equal(await answer, false)
  const gone = await server.next((one) => one.resourceNamesUnsubscribe.includes(web), 'unsubscribe')
  assert.equal(gone.typeUrl, typeUrls.RDS)
})

test('removal: listeners and clusters go, routes and endpoints in use stay', async (t) => {
  const server = await testAdsServer(t)
  server.serve({ ...mesh(), LDS: [listener('outbound', { named: web }), listener('second', { cluster: 'own' })] })
  const flow = flowTo(t, server)
  await flow.ready
  const before = flow.config.value
  assert.deepEqual([...before.routes.keys()], [web])
  await server.answer(server.send('RDS', [], [web]))
  await server.answer(server.send('EDS', [], [web]))
  assert.equal(flow.config.value, before)
  await server.answer(server.send('CDS', [], [web]))
  assert.deepEqual([...flow.config.value.clusters.keys()], ['own'])
  await server.answer(server.send('LDS', [], ['second']))
  assert.deepEqual([...flow.config.value.listeners.keys()], ['outbound'])
})

test('a cluster waits for its trust bundle; endpoints choose their transport', async (t) => {
  const server = await testAdsServer(t)
  const { caPem } = await (await import('../../xds/testing/certificates.ts')).testAuthority()
  const { upstreamTls } = await import('./testing/tls.ts')
  const secure = edsCluster('own', {
    transportSocketMatches: [
      { name: 'mtls', match: { weft: 'mtls' }, transportSocket: upstreamTls('bundle', ['spiffe://x/ns/a/sa/b']) },
    ],
  })
  server.serve({
    ...mesh(),
    CDS: [secure],
    EDS: [
      endpoints('own', [1000], {
        'envoy.transport_socket_match': { weft: 'mtls', more: 1 },
        'weft.dev': { workload: 'a/b-1' },
      }),
    ],
    SDS: [],
  })
  const flow = flowTo(t, server)
  await server.subscription('SDS', 'bundle')
  const bundle = (pem: string, version: string): ReturnType<typeof resource> =>
    resource(
      'bundle',
      SecretSchema,
      {
        name: 'bundle',
        type: { case: 'validationContext', value: { trustedCa: { specifier: { case: 'inlineString', value: pem } } } },
      },
      version,
    )
  assert.match(
    (await server.answer(server.send('SDS', [bundle('no certificate', '1')]))).errorDetail?.message ?? '',
    /trusted_ca: holds no certificate/,
  )
  await server.answer(server.send('SDS', [bundle(caPem, '2')]))
  await flow.ready
  assert.equal(flow.config.value.trust.get('bundle'), caPem)
  const cluster = flow.config.value.clusters.get('own')
  assert.equal(cluster?.endpoints[0]?.transport, 'mtls')
  assert.equal(cluster?.endpoints[0]?.workload, 'a/b-1')
  assert.deepEqual(cluster?.transports.get('mtls')?.peer, {
    kind: 'names',
    oneOf: [{ kind: 'uri', match: { kind: 'exact', value: 'spiffe://x/ns/a/sa/b', ignoreCase: false } }],
  })
  assert.equal(cluster?.transports.get(''), undefined)
})

test('the control plane goes away: nothing is lost, and the next stream continues with versions', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  assert.equal(await flow.demand(web), true)
  const before = flow.config.value
  const again = server.next(
    ({ node, typeUrl }) => node !== undefined && typeUrl === typeUrls.NDS,
    'a new stream introduces itself',
  )
  await server.subscription('CDS', 'own')
  await server.subscription('CDS', web)
  server.quiet()
  server.drop()
  assert.equal(flow.config.value, before)
  // The first stream began with LDS, the next one with the name table.
  assert.deepEqual((await again).initialResourceVersions, { 'default/web': '1' })
  const clusters = await server.subscription('CDS', web)
  assert.deepEqual(clusters.initialResourceVersions, { own: '1', [web]: '1' })
  assert.deepEqual(clusters.resourceNamesSubscribe.toSorted(), [web, 'own'])
  const listeners = await server.next(
    ({ typeUrl, initialResourceVersions }) => typeUrl === typeUrls.LDS && 'outbound' in initialResourceVersions,
    'LDS with versions',
  )
  assert.deepEqual(listeners.resourceNamesSubscribe, ['*'])
  server.send('EDS', [endpoints(web, [8009], {}, '9')])
  await until(flow.config, ({ clusters: all }) => all.get(web)?.endpoints[0]?.address.port === 8009)
})

test('renewal makes a new connection and keeps all', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  const before = flow.config.value
  const again = server.next(({ node, typeUrl }) => node !== undefined && typeUrl === typeUrls.NDS, 'introduction')
  flow.renew()
  await again
  assert.equal(server.streams, 2)
  assert.equal(flow.config.value, before)
})

test('a changed cluster whose endpoints are not there yet does not replace the one that serves', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  server.quiet()
  const before = flow.config.value.clusters.get('own')
  const moved = resource(
    'own',
    ClusterSchema,
    {
      name: 'own',
      clusterDiscoveryType: { case: 'type', value: 3 },
      edsClusterConfig: { serviceName: 'elsewhere', edsConfig: { configSourceSpecifier: { case: 'ads', value: {} } } },
    },
    '2',
  )
  server.send('CDS', [moved])
  await server.subscription('EDS', 'elsewhere')
  assert.equal(flow.config.value.clusters.get('own'), before)
  await server.answer(server.send('EDS', [endpoints('elsewhere', [7000])]))
  assert.deepEqual(portsOf(flow, 'own'), [7000])
})

test('what nobody has called for ten minutes is given up, unless something is under way there', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const clock = manualClock()
  const flow = flowTo(t, server, { clock })
  const db = 'default/db/5432'
  server.serve({
    ...mesh(),
    NDS: [service('default', 'web', { 80: 'http' }), service('default', 'db', { 5432: 'tcp' })],
    CDS: [edsCluster('own'), edsCluster(web), edsCluster(db)],
    EDS: [endpoints('own', [1000]), endpoints(web, [8001]), endpoints(db, [8002])],
  })
  await flow.ready
  assert.deepEqual(await Promise.all([flow.demand(web), flow.demand(db)]), [true, true])
  const nobody = (): boolean => false
  clock.advance(599_000)
  flow.forgetUnused(new Set(), nobody)
  assert.equal(flow.config.value.routes.has(web), true)
  flow.forgetUnused(new Set([web]), nobody)
  clock.advance(1_000)
  // A raw connection is open to the other one.
  flow.forgetUnused(new Set(), (clusters) => clusters.includes(db))
  assert.deepEqual([flow.config.value.routes.has(web), flow.config.value.clusters.has(db)], [true, true])
  clock.advance(600_000)
  flow.forgetUnused(new Set(), (clusters) => clusters.includes(web))
  assert.deepEqual([flow.config.value.clusters.has(web), flow.config.value.clusters.has(db)], [true, false])
  clock.advance(600_000)
  flow.forgetUnused(new Set(), nobody)
  const gone = (types: string) =>
    server.next(
      ({ typeUrl, resourceNamesUnsubscribe: names }) => typeUrl === types && names.includes(web),
      `${types} without ${web}`,
    )
  for (const type of ['RDS', 'CDS', 'EDS'] as const) await gone(typeUrls[type])
  assert.equal(flow.config.value.routes.size, 0)
  assert.deepEqual([...flow.config.value.clusters.keys()], ['own'])
  assert.equal(await flow.demand(web), true, 'and comes back when it is called')
})

test('what earlier instances used is asked for at once', async (t) => {
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server, { used: [web, 'default/web/5432', 'default/gone/80'] })
  await until(flow.config, ({ routes, clusters }) => routes.has(web) && clusters.has('default/web/5432'))
  await flow.ready
  assert.equal(await flow.demand('default/gone/80'), false)
})

test('a cluster of clusters: its members are asked for, and routes wait for them', async (t) => {
  const whole = resource(
    'all',
    ClusterSchema,
    {
      name: 'all',
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      clusterDiscoveryType: {
        case: 'clusterType',
        value: {
          name: 'x',
          typedConfig: packAny(AggregateSchema, create(AggregateSchema, { clusters: ['one', 'two'] })),
        },
      },
    },
    '1',
  )
  const server = await testAdsServer(t)
  server.serve(mesh())
  const flow = flowTo(t, server)
  await flow.ready
  assert.equal(await flow.demand(web), true)
  server.quiet()
  const early = server.answer(server.send('RDS', [routesTo(web, 'all', '2')]))
  await server.subscription('CDS', 'all')
  await server.answer(server.send('CDS', [whole]))
  await server.subscription('CDS', 'two')
  await server.answer(server.send('CDS', [edsCluster('one'), edsCluster('two')]))
  server.send('EDS', [endpoints('one', [8001])])
  await server.subscription('EDS', 'two')
  assert.equal(clusterOf(flow, web), web)
  server.send('EDS', [endpoints('two', [8002])])
  assert.equal((await early).errorDetail, undefined)
  assert.equal(clusterOf(flow, web), 'all')
  assert.deepEqual(flow.config.value.clusters.get('all')?.members, ['one', 'two'])
})
