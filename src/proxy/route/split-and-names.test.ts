import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { xxHash64 } from '../../base/xx-hash.ts'
import { nameIndex } from './names.ts'
import { clusterOfHash, pickCluster } from './split.ts'

test('a split follows its weights', () => {
  const random = seeded(1)
  const counts = new Map<string, number>()
  const clusters = [
    { cluster: 'v1', weight: 90 },
    { cluster: 'v2', weight: 10 },
    { cluster: 'v3', weight: 0 },
  ]
  for (let count = 0; count < 100_000; count++) {
    const { cluster } = pickCluster(clusters, random)
    counts.set(cluster, (counts.get(cluster) ?? 0) + 1)
  }
  assert.ok(Math.abs((counts.get('v2') ?? 0) - 10_000) < 400, `v2: ${counts.get('v2')}`)
  assert.equal(counts.get('v3'), undefined)
})

test('a single cluster costs no chance; none is a bug', () => {
  const never = { unit: () => assert.fail(), below: () => assert.fail(), index: () => assert.fail() }
  assert.equal(pickCluster([{ cluster: 'only', weight: 0 }], never).cluster, 'only')
  assert.throws(() => pickCluster([], never), RangeError)
})

test('a hash always finds the same cluster, by weight of all hashes; more weight moves no more than it must', () => {
  const split = (v1: number, v2: number): readonly string[] =>
    Array.from({ length: 10_000 }, (_, index) => {
      const clusters = [
        { cluster: 'v1', weight: v1 },
        { cluster: 'v2', weight: v2 },
      ]
      return clusterOfHash(clusters, xxHash64(`user-${index}`)).cluster
    })
  const before = split(90, 10)
  const after = split(80, 20)
  assert.deepEqual(split(90, 10), before)
  assert.ok(Math.abs(before.filter((one) => one === 'v2').length - 1000) < 200)
  const moved = before.filter((one, index) => one !== after[index])
  assert.deepEqual(new Set(moved), new Set(['v1']))
  assert.ok(Math.abs(moved.length - 1000) < 200)
})

test('services are found by the names that programs use', () => {
  const find = nameIndex(
    new Map([
      [
        'shop/web',
        {
          namespace: 'shop',
          name: 'web',
          ports: [
            { port: 80, protocol: 'http' },
            { port: 8080, protocol: 'http' },
          ],
        },
      ],
      ['default/web', { namespace: 'default', name: 'web', ports: [{ port: 80, protocol: 'http' }] }],
    ]),
  )
  assert.equal(find('web', 80, 'shop'), 'shop/web/80')
  assert.equal(find('web', 80, 'default'), 'default/web/80')
  assert.equal(find('web', 8080, 'default'), undefined, 'not a port of that service')
  for (const host of [
    'web.shop',
    'WEB.Shop',
    'web.shop.',
    'web.shop.svc',
    'web.shop.svc.cluster.local',
    'web.shop.svc.cluster.local.',
  ])
    assert.equal(find(host, 8080, 'default'), 'shop/web/8080', host)
  assert.equal(find('web.', 80, 'shop'), 'shop/web/80')
  for (const host of [
    '',
    '.',
    'web..',
    '.shop',
    'web.shop.mesh',
    'a.web.shop',
    'web.shop.svc.cluster.test',
    'x',
    'web.svc.cluster.local',
  ])
    assert.equal(find(host, 80, 'shop'), undefined, host)
})

test('services outside of the mesh are found by their own hosts alone, after the names of the mesh', () => {
  const ports = [{ port: 443, protocol: 'tcp' as const }]
  const find = nameIndex(
    new Map([
      ['a/pay', { namespace: 'a', name: 'pay', ports, hosts: ['api.pay.example', '*.pay.example', '192.0.2.1'] }],
      ['a/eu', { namespace: 'a', name: 'eu', ports, hosts: ['*.eu.pay.example', 'web.shop'], virtualIp: '240.0.0.7' }],
      ['shop/web', { namespace: 'shop', name: 'web', ports }],
    ]),
  )
  for (const host of ['api.pay.example', 'API.Pay.Example.', 'x.y.pay.example', '192.0.2.1'])
    assert.equal(find(host, 443, 'a'), 'a/pay/443', host)
  assert.equal(find('api.pay.example', 80, 'a'), undefined)
  for (const host of ['b.eu.pay.example', '240.0.0.7']) assert.equal(find(host, 443, 'a'), 'a/eu/443', host)
  for (const host of ['pay.example', 'pay', 'pay.a', 'pay.a.svc', 'xpay.example', '.pay.example', '192.0.2.11'])
    assert.equal(find(host, 443, 'a'), undefined, host)
  assert.equal(find('web.shop', 443, 'a'), 'shop/web/443')
})

test('instances of a headless service are found by names of their own, in front of its names', () => {
  const ports = [{ port: 80, protocol: 'http' as const }]
  const find = nameIndex(
    new Map([
      ['shop/db', { namespace: 'shop', name: 'db', ports }],
      ['shop/db-a.db', { namespace: 'shop', name: 'db-a.db', ports, virtualIp: '240.0.0.9' }],
      ['db/db-b', { namespace: 'db', name: 'db-b', ports }],
      ['shop/db-b.db', { namespace: 'shop', name: 'db-b.db', ports }],
    ]),
  )
  for (const host of [
    'db-a.db',
    'db-a.db.mesh',
    'DB-A.db.shop',
    'db-a.db.shop.svc',
    'db-a.db.shop.svc.cluster.local.',
    '240.0.0.9',
  ])
    assert.equal(find(host, 80, 'shop'), 'shop/db-a.db/80', host)
  assert.equal(find('db-a.db', 80, 'other'), undefined)
  assert.equal(find('db-a.db.shop.example', 80, 'shop'), undefined)
  assert.equal(find('db-b.db', 80, 'shop'), 'db/db-b/80', 'a service of another namespace comes first')
  assert.equal(find('db.shop.svc', 80, 'other'), 'shop/db/80')
})
