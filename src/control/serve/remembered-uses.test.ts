import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createRememberedUses } from './remembered-uses.ts'
import { adsWorld, mesh, service } from './testing/ads-world.ts'

test('what instances used is remembered for a day, within bounds', () => {
  const clock = manualClock()
  const uses = createRememberedUses(clock)
  uses.left('default/shop', ['default/web/80', 'default/db/5432'])
  uses.left('default/shop', [])
  assert.deepEqual(uses.of('default/shop', ['default/a/80', 'default/web/80']), [
    'default/a/80',
    'default/db/5432',
    'default/web/80',
  ])
  assert.deepEqual(uses.of('default/other', []), [])
  clock.advance(24 * 3_600_000 + 1)
  assert.deepEqual(uses.of('default/shop', []), [])
  uses.left(
    'default/much',
    Array.from({ length: 1000 }, (_, index) => `default/s${index}/80`),
  )
  assert.equal(uses.of('default/much', []).length, 500)
  for (let index = 0; index < 10_000; index++) uses.left(`default/s${index}`, ['default/web/80'])
  assert.deepEqual(uses.of('default/much', []), [], 'the oldest one goes first')
})

test('what a proxy asked for by name is what the next instance of its service is told', async (t) => {
  const { connect, ads } = await adsWorld(t, mesh(service('web', 'default/web-1'), service('db', 'default/db-1')))
  assert.deepEqual(ads.usedBy('default/web'), [])
  const proxy = connect()
  proxy.send('RDS', { resourceNamesSubscribe: ['default/web/80'] })
  // Endpoints and clusters follow from routes; nobody called this one by name.
  proxy.send('CDS', { resourceNamesSubscribe: ['default/web/80', 'default/db/80', 'inbound/8080'] })
  await proxy.next()
  await proxy.settled()
  assert.deepEqual(ads.usedBy('default/web'), ['default/web/80'])
  proxy.close()
  while (ads.proxies().some(({ connected }) => connected)) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ads.usedBy('default/web'), ['default/web/80'])
})
