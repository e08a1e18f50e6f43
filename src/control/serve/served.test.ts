import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { completeModel } from '../render/testing/model-yaml.ts'
import type { Ads } from './ads.ts'
import { adsWorld, client, me, mesh, service } from './testing/ads-world.ts'
import type { DeltaClient } from './testing/delta-client.ts'

const [web, db] = ['default/web/80', 'default/db/80']
const before = mesh(service('web', 'default/web-1'), service('db', 'default/db-1'))
const after = completeModel({
  ...mesh(service('web', 'default/web-1', 'default/web-2'), service('db', 'default/db-1')),
  revision: 2,
  storeRevision: 7,
})

/** Asks for the endpoints of one service, and has them, as the server knows. */
async function holds(ads: Ads, proxy: DeltaClient, name: string): Promise<void> {
  proxy.send('EDS', { resourceNamesSubscribe: [name] })
  proxy.ack(await proxy.next())
  const idle = (): boolean =>
    ads.proxies().every(({ types }) => types.length > 0 && types.every(({ synced }) => synced))
  while (!idle()) await new Promise(setImmediate)
}

test('a revision is served when those whom it changes have acknowledged it; others are not asked', async (t) => {
  const workloads = [client, { ...client, name: 'bystander' }]
  const { ads, model, connect } = await adsWorld(t, { ...before, workloads })
  const proxy = connect({ acks: false })
  await holds(ads, proxy, web)
  await holds(ads, connect({ id: 'default/bystander', acks: false }), db)
  let done = false
  const waiting = ads.served(7, 60_000)
  void waiting.then(() => (done = true))
  model.set(after)
  const said = await proxy.next()
  assert.deepEqual([said.names, said.response.systemVersionInfo], [[web], '7'])
  await proxy.settled()
  assert.equal(done, false, 'told, not acknowledged')
  proxy.ack(said)
  assert.deepEqual(await waiting, { revision: 7, served: [me], refused: [], laggards: [] })
  assert.equal(ads.proxies().find((one) => one.proxy === me)?.revision, 7)
})

test('a revision that changes nothing for anybody is served at once', async (t) => {
  const { ads, model, connect } = await adsWorld(t, before)
  const proxy = connect({ acks: false })
  await holds(ads, proxy, db)
  const waiting = ads.served(7, 60_000)
  model.set(after)
  assert.deepEqual(await waiting, { revision: 7, served: [], refused: [], laggards: [] })
  assert.deepEqual(await ads.served(7, 60_000), { revision: 7, served: [], refused: [], laggards: [] })
})

test('a refusal is told with its reason, without waiting', async (t) => {
  const { ads, model, connect } = await adsWorld(t, before)
  const proxy = connect({ acks: false })
  await holds(ads, proxy, web)
  const waiting = ads.served(7, 60_000)
  model.set(after)
  proxy.nack(await proxy.next(), `${web}: no such thing`)
  assert.deepEqual(await waiting, {
    revision: 7,
    served: [],
    refused: [{ proxy: me, type: 'EDS', name: web, reason: `${web}: no such thing` }],
    laggards: [],
  })
  assert.equal(ads.proxies()[0]?.revision, 0)
})

test('an older version under way does not count; a newer one in its place does', async (t) => {
  const { ads, model, connect } = await adsWorld(t, before)
  const proxy = connect({ acks: false })
  await holds(ads, proxy, web)
  const set = (count: number, storeRevision: number): void => {
    const workloads = Array.from({ length: count }, (_, index) => `default/web-${index}`)
    model.set(completeModel({ ...mesh(service('web', ...workloads)), revision: storeRevision, storeRevision }))
  }
  set(3, 6)
  const old = await proxy.next()
  let done = false
  const waiting = ads.served(7, 60_000)
  void waiting.then(() => (done = true))
  set(4, 7)
  await proxy.settled()
  proxy.ack(old)
  const wanted = await proxy.next()
  assert.equal(done, false)
  set(5, 8)
  await proxy.settled()
  assert.equal(done, false)
  proxy.ack(wanted)
  assert.deepEqual((await waiting).served, [me])
  const newest = await proxy.next()
  assert.equal(newest.response.systemVersionInfo, '8')
  const both = Promise.all([ads.served(8, 60_000), ads.served(3, 60_000)])
  proxy.ack(newest)
  assert.deepEqual(
    (await both).map(({ served }) => served),
    [[me], [me]],
  )
})

test('who is silent, or away, is a laggard when the time is over; who comes back and holds it is none', async (t) => {
  const clock = manualClock()
  const { ads, model, connect } = await adsWorld(t, before, clock)
  const proxy = connect({ acks: false })
  await holds(ads, proxy, web)
  const waiting = ads.served(7, 30_000)
  model.set(after)
  await proxy.next()
  await proxy.settled()
  clock.advance(30_000)
  assert.deepEqual((await waiting).laggards, [{ proxy: me, connected: true, waitingFor: [`EDS ${web}`] }])

  proxy.close()
  await proxy.status
  while (ads.proxies().some(({ connected }) => connected)) await new Promise(setImmediate)
  const away = ads.served(7, 10_000)
  clock.advance(10_000)
  assert.deepEqual((await away).laggards, [{ proxy: me, connected: false, waitingFor: [] }])

  const returning = ads.served(7, 10_000)
  const again = connect()
  again.send('EDS', { resourceNamesSubscribe: [web] })
  await again.next()
  await again.settled()
  clock.advance(1_000)
  assert.deepEqual(await returning, { revision: 7, served: [me], refused: [], laggards: [] })
})
