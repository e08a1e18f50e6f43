import assert from 'node:assert/strict'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { DeltaDiscoveryRequestSchema } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../xds/type-urls.ts'
import { completeModel } from '../render/testing/model-yaml.ts'
import { adsWorld, client, me, mesh, service } from './testing/ads-world.ts'

const [web, db] = ['default/web/80', 'default/db/80']

test('a wildcard gives all that is this workload’s, an explicit name gives that one', async (t) => {
  const { connect } = await adsWorld(t, mesh(service('web', 'default/web-1')))
  const proxy = connect()
  proxy.send('LDS')
  assert.deepEqual((await proxy.next()).names, ['inbound/http', 'outbound/explicit'])
  proxy.send('CDS', { resourceNamesSubscribe: ['*', web] })
  assert.deepEqual((await proxy.next()).names.toSorted(), [web, 'inbound/8080', 'outbound/passthrough'])
  proxy.send('NDS', { resourceNamesSubscribe: ['*'] })
  assert.deepEqual((await proxy.next()).names, ['default/web'])
})

test('a foreign proxy’s wildcard covers every service', async (t) => {
  const { connect } = await adsWorld(t, mesh(service('web'), service('db')))
  const envoy = connect({ weft: false })
  envoy.send('CDS')
  assert.deepEqual((await envoy.next()).names, [db, web, 'inbound/8080', 'outbound/passthrough'])
})

test('a changed endpoint is one EDS response to those who asked, and nothing to anybody else', async (t) => {
  const { connect, model } = await adsWorld(t, mesh(service('web', 'default/web-1'), service('db', 'default/db-1')))
  const interested = connect()
  const bystander = connect()
  for (const [proxy, name] of [
    [interested, web],
    [bystander, db],
  ] as const) {
    for (const type of ['LDS', 'NDS'] as const) proxy.send(type)
    for (const type of ['CDS', 'EDS', 'RDS'] as const) proxy.send(type, { resourceNamesSubscribe: [name] })
    await proxy.settled()
    while (new Set(proxy.heard.map(({ type }) => type)).size < 5) await proxy.next()
    await proxy.settled()
  }
  const before = [interested.heard.length, bystander.heard.length]
  model.set(
    completeModel({
      ...mesh(service('web', 'default/web-1', 'default/web-2'), service('db', 'default/db-1')),
      revision: 2,
    }),
  )
  while (interested.heard.length === before[0]) await interested.next()
  await interested.settled()
  await bystander.settled()
  const news = interested.heard.slice(before[0])
  assert.deepEqual(
    news.map(({ type, names, removed }) => ({ type, names, removed })),
    [{ type: 'EDS', names: [web], removed: [] }],
  )
  assert.equal(bystander.heard.length, before[1])
})

test('reconnecting with the versions held sends nothing; with an old one, that one', async (t) => {
  const { connect } = await adsWorld(t, mesh(service('web', 'default/web-1'), service('db', 'default/db-1')))
  const first = connect()
  first.send('EDS', { resourceNamesSubscribe: [web, db] })
  const { response } = await first.next()
  const versions = Object.fromEntries(response.resources.map(({ name, version }) => [name, version]))
  first.close()

  const again = connect()
  again.send('EDS', { resourceNamesSubscribe: [web, db], initialResourceVersions: versions })
  await again.settled()
  assert.deepEqual(again.heard, [])
  const stale = connect()
  stale.send('EDS', { resourceNamesSubscribe: [web, db], initialResourceVersions: { ...versions, [db]: 'old' } })
  assert.deepEqual((await stale.next()).names, [db])
})

test('what disappeared while a wildcard client was away is removed when it comes back', async (t) => {
  const { connect } = await adsWorld(t, mesh(service('web')))
  const proxy = connect()
  proxy.send('NDS', { initialResourceVersions: { 'default/old': '1' } })
  const said = await proxy.next()
  assert.deepEqual([said.names, said.removed], [['default/web'], ['default/old']])
})

test('an unknown name is answered at once as removed, and sent when it comes to be', async (t) => {
  const { connect, model } = await adsWorld(t, mesh())
  const proxy = connect()
  proxy.send('CDS', { resourceNamesSubscribe: [web] })
  const absent = await proxy.next()
  assert.deepEqual([absent.names, absent.removed], [[], [web]])
  model.set(completeModel(mesh(service('web'))))
  assert.deepEqual((await proxy.next()).names, [web])
  model.set(completeModel(mesh()))
  assert.deepEqual((await proxy.next()).removed, [web])
})

test('an empty wildcard is answered, so that the client does not wait', async (t) => {
  const { connect } = await adsWorld(t, { workloads: [{ name: 'client-1' }] })
  const proxy = connect()
  proxy.send('LDS')
  const said = await proxy.next()
  assert.deepEqual([said.type, said.names, said.removed], ['LDS', [], []])
})

test('unsubscribing a name that the wildcard covers gives the resource, one that it does not its removal', async (t) => {
  const { connect } = await adsWorld(t, mesh(service('web')))
  const proxy = connect()
  proxy.send('CDS', { resourceNamesSubscribe: ['*', 'inbound/8080', web] })
  await proxy.next()
  proxy.send('CDS', { resourceNamesUnsubscribe: ['inbound/8080', web] })
  const said = await proxy.next()
  assert.deepEqual([said.names, said.removed], [['inbound/8080'], [web]])
})

test('an unsubscribed name is not sent again, a subscribed one is, even when it is known', async (t) => {
  const { connect, model } = await adsWorld(t, mesh(service('web', 'default/web-1')))
  const proxy = connect()
  proxy.send('EDS', { resourceNamesSubscribe: [web] })
  await proxy.next()
  proxy.send('EDS', { resourceNamesSubscribe: [web] })
  assert.deepEqual((await proxy.next()).names, [web])
  proxy.send('EDS', { resourceNamesUnsubscribe: [web] })
  await proxy.settled()
  model.set(completeModel(mesh(service('web', 'default/web-2'))))
  await new Promise(setImmediate)
  await proxy.settled()
  assert.equal(proxy.heard.length, 2)
})

test('one response in flight: changes meanwhile are one response after the ACK; a stale nonce settles nothing', async (t) => {
  const { connect, model } = await adsWorld(t, mesh(service('web', 'default/web-1')))
  const proxy = connect({ acks: false })
  proxy.send('EDS', { resourceNamesSubscribe: [web] })
  const first = await proxy.next()
  for (const name of ['default/web-2', 'default/web-3', 'default/web-4']) {
    model.set(completeModel(mesh(service('web', name))))
    await new Promise(setImmediate)
  }
  proxy.send('EDS', { responseNonce: 'of another stream' })
  await proxy.settled()
  assert.equal(proxy.heard.length, 1)
  proxy.ack(first)
  const second = await proxy.next()
  assert.equal(second.response.resources[0]?.version.length, 16)
  proxy.ack(second)
  await proxy.settled()
  assert.equal(proxy.heard.length, 2)
})

test('a refusal is kept with its reason and not answered with the same bytes; a new version heals it', async (t) => {
  const { ads, connect, model } = await adsWorld(t, mesh(service('web'), service('db')))
  const proxy = connect({ acks: false })
  proxy.send('CDS', { resourceNamesSubscribe: [web, db] })
  proxy.nack(await proxy.next(), `Error adding/updating cluster(s) ${db}: no`)
  await proxy.settled()
  assert.equal(proxy.heard.length, 1)
  const state = (): unknown => ads.proxies()[0]?.types.find(({ type }) => type === 'CDS')
  assert.deepEqual(state(), {
    type: 'CDS',
    resources: 1,
    synced: true,
    rejected: [{ name: db, reason: `Error adding/updating cluster(s) ${db}: no` }],
  })
  assert.match(ads.metrics(), /weft_xds_rejects_total\{type="CDS"\} 1\n/)
  const healed = service('db')
  model.set(
    completeModel(mesh(service('web'), { ...healed, ports: [{ ...healed.ports?.[0], loadBalancing: 'round-robin' }] })),
  )
  const second = await proxy.next()
  assert.deepEqual(second.names, [db])
  proxy.ack(second)
  await proxy.settled()
  assert.deepEqual(state(), { type: 'CDS', resources: 2, synced: true, rejected: [] })
})

test('order: clusters, endpoints again without waiting, listeners and routes after the ACK, removals last', async (t) => {
  const { connect, model } = await adsWorld(t, mesh(service('web', 'default/web-1')))
  const proxy = connect({ weft: false, acks: false })
  const take = async (): Promise<string> => {
    const said = await proxy.next()
    proxy.ack(said)
    return `${said.type} +${said.names.join(',')} -${said.removed.join(',')}`
  }
  for (const type of ['CDS', 'LDS'] as const) {
    proxy.send(type)
    await take()
  }
  for (const type of ['EDS', 'RDS'] as const) {
    proxy.send(type, { resourceNamesSubscribe: [web] })
    await take()
  }
  proxy.send('RDS', { resourceNamesSubscribe: [db] })
  await take()

  // web: other cluster, other route; db is new; the program's port moves: another listener and inbound cluster.
  const changed = service('web', 'default/web-1')
  model.set(
    completeModel({
      services: [
        { ...changed, ports: [{ ...changed.ports?.[0], loadBalancing: 'round-robin', rules: [{}] }] },
        service('db'),
      ],
      workloads: [{ ...client, inbound: [{ name: 'other', targetPort: 9090 }] }],
    }),
  )
  const clusters = await proxy.next()
  assert.deepEqual([clusters.type, clusters.names.toSorted(), clusters.removed], ['CDS', [db, web, 'inbound/9090'], []])
  assert.equal(await take(), `EDS +${web} -`, 'its endpoints again, before the clusters are acknowledged')
  await proxy.settled()
  assert.equal(proxy.heard.at(-1)?.type, 'EDS', 'no listener and no route before the clusters are warm')
  proxy.ack(clusters)
  assert.equal(await take(), 'LDS +inbound/other -inbound/http')
  assert.equal((await take()).split(' -')[1], '')
  assert.equal(await take(), 'CDS + -inbound/8080', 'clusters go last')
})

test('a proxy must be the workload that it says it is', async (t) => {
  const clock = manualClock()
  const { connect } = await adsWorld(t, mesh(), clock)
  const stranger = connect({ id: 'default/nobody' })
  stranger.send('LDS')
  while (clock.pending === 0) await new Promise(setImmediate)
  clock.advance(5000)
  const ended = await stranger.status
  assert.equal(ended.code, status.PERMISSION_DENIED)
  assert.match(ended.details, /"default\/nobody" is no registered workload/)
  const nameless = connect({ id: '' })
  nameless.send('LDS')
  assert.equal((await nameless.status).code, status.INVALID_ARGUMENT)
})

test('a workload that is registered a moment later is served then', async (t) => {
  const { connect, model } = await adsWorld(t, {})
  const proxy = connect()
  proxy.send('LDS')
  await new Promise((resolve) => setTimeout(resolve, 20))
  model.set(completeModel(mesh()))
  assert.deepEqual((await proxy.next()).names, ['inbound/http', 'outbound/explicit'])
})

test('a workload that disappears keeps its listeners; one that changes its identity loses the stream', async (t) => {
  const { connect, model } = await adsWorld(t, mesh())
  const proxy = connect()
  proxy.send('LDS')
  await proxy.next()
  model.set(completeModel({}))
  await new Promise(setImmediate)
  await proxy.settled()
  assert.equal(proxy.heard.length, 1)
  model.set(completeModel({ workloads: [{ ...client, identity: 'spiffe://weft.local/ns/default/sa/other' }] }))
  assert.equal((await proxy.status).code, status.PERMISSION_DENIED)
})

test('a removal is acknowledged when the last proxy that could call the workload has said so', async (t) => {
  const { ads, connect, model } = await adsWorld(
    t,
    mesh(service('web', 'default/web-1', 'default/web-2'), service('db', 'default/db-1')),
  )
  const [slow, quick, other] = [connect({ acks: false }), connect(), connect()]
  slow.send('EDS', { resourceNamesSubscribe: [web] })
  slow.ack(await slow.next())
  quick.send('EDS', { resourceNamesSubscribe: [web] })
  await quick.next()
  other.send('EDS', { resourceNamesSubscribe: [db] })
  await other.next()
  let done: { laggards: readonly string[] } | undefined
  const removal = ads.removalAcked('default/web-1', 60_000).then((result) => (done = result))
  model.set(completeModel(mesh(service('web', 'default/web-2'), service('db', 'default/db-1'))))
  await quick.next()
  const last = await slow.next()
  await slow.settled()
  assert.equal(done, undefined)
  slow.ack(last)
  await removal
  assert.deepEqual(done, { laggards: [] })
  assert.deepEqual(await ads.removalAcked('default/web-1', 60_000), { laggards: [] }, 'nobody has it: at once')
})

test('a proxy that does not acknowledge in time is named; one that goes is not waited for', async (t) => {
  const { ads, connect, model } = await adsWorld(t, mesh(service('web', 'default/web-1')))
  const slow = connect({ acks: false })
  slow.send('EDS', { resourceNamesSubscribe: [web] })
  slow.ack(await slow.next())
  await slow.settled()
  model.set(completeModel(mesh(service('web'))))
  assert.deepEqual(await ads.removalAcked('default/web-1', 30), { laggards: [me] })
  const waiting = ads.removalAcked('default/web-1', 60_000)
  slow.close()
  assert.deepEqual(await waiting, { laggards: [] })
})

test('a client that never reads is dropped', async (t) => {
  const clock = manualClock()
  const many = Array.from({ length: 500 }, (_, index) => service(`service-${index}`))
  const { ads, unixPath } = await adsWorld(t, mesh(...many), clock)
  const deaf = http2.connect('http://local', { createConnection: () => net.connect(unixPath) })
  t.after(() => deaf.destroy())
  deaf.on('error', () => {})
  const stream = deaf.request({
    ':method': 'POST',
    ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.on('error', () => {})
  stream.pause()
  const request = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls.CDS, node: { id: me } }),
  )
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(request.length, 1)
  stream.write(Buffer.concat([frame, request]))
  while (clock.pending === 0) await new Promise(setImmediate)
  assert.equal(ads.proxies()[0]?.connected, true)
  clock.advance(19_999)
  assert.equal(ads.proxies()[0]?.connected, true)
  clock.advance(1)
  assert.equal(ads.proxies()[0]?.connected, false)
  assert.equal(clock.pending, 0)
})

test('proxies that went are remembered for ten minutes', async (t) => {
  const clock = manualClock()
  const { ads, connect } = await adsWorld(t, mesh(), clock)
  const proxy = connect()
  proxy.send('LDS')
  await proxy.next()
  await proxy.settled()
  clock.advance(1000)
  assert.deepEqual(
    ads.proxies().map(({ proxy: id, connected, forMs }) => ({ id, connected, forMs })),
    [{ id: me, connected: true, forMs: 1000 }],
  )
  assert.match(ads.metrics(), /weft_xds_connected_proxies 1\n/)
  proxy.close()
  while (ads.proxies()[0]?.connected === true) await new Promise((resolve) => setTimeout(resolve, 2))
  clock.advance(600_000)
  assert.equal(ads.proxies().length, 1)
  clock.advance(1)
  assert.equal(ads.proxies().length, 0)
})

test('a change reaches a proxy within milliseconds', async (t) => {
  const { connect, model } = await adsWorld(t, mesh(service('web', 'default/web-0')))
  const proxy = connect()
  proxy.send('EDS', { resourceNamesSubscribe: [web] })
  await proxy.next()
  const tookMs: number[] = []
  for (let index = 1; index <= 20; index++) {
    await proxy.settled()
    const started = performance.now()
    model.set(completeModel(mesh(service('web', `default/web-${index}`))))
    await proxy.next()
    tookMs.push(performance.now() - started)
  }
  const median = tookMs.toSorted((a, b) => a - b)[10] ?? Infinity
  assert.ok(median < 50, `median ${median.toFixed(1)} ms`)
})
