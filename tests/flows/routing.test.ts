import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

const versions = `
apiVersion: v1
kind: Service
metadata: { name: reviews-v1 }
spec:
  selector: { app: reviews, version: v1 }
  ports: [{ name: http, port: 80 }]
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v2 }
spec:
  selector: { app: reviews, version: v2 }
  ports: [{ name: http, port: 80 }]
`
const split = (v1: number, v2: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - matches:
        - path: { type: Exact, value: /pinned }
        - method: POST
        - headers: [{ name: x-version, value: two }]
      backendRefs: [{ name: reviews-v2, port: 80 }]
    - backendRefs:
        - { name: reviews-v1, port: 80, weight: ${v1} }
        - { name: reviews-v2, port: 80, weight: ${v2} }
`

/** How often v2 answered of `count` requests. */
async function shareOfV2(world: World, client: Workload, count: number): Promise<number> {
  const batches = Array.from({ length: count / 20 }, (_, batch) => batch)
  let v2 = 0
  for (const _ of batches) {
    const replies = await Promise.all(Array.from({ length: 20 }, () => world.curl(client, 'http://reviews/')))
    for (const { status, body } of replies) {
      assert.equal(status, 200, body)
      if (body.includes('"v2"')) v2++
    }
  }
  return v2 / count
}

test('routing: weights, path, method and header decide; a change under load fails no request', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('reviews', { labels: ['version=v1'], says: 'v1' })
  await world.run('reviews', { labels: ['version=v2'], says: 'v2' })
  await world.apply(`${versions}---${split(100, 0)}`)
  await until('all go to v1', async () => (await shareOfV2(world, client, 20)) === 0)

  const answeredBy = async (path: string, args: object): Promise<string> =>
    (JSON.parse((await world.curl(client, `http://reviews${path}`, args)).body) as { name: string }).name
  assert.equal(await answeredBy('/pinned', {}), 'v2')
  assert.equal(await answeredBy('/pinned/not', {}), 'v1')
  assert.equal(await answeredBy('/', { method: 'POST', body: 'text' }), 'v2')
  assert.equal(await answeredBy('/', { headers: ['X-Version: two'] }), 'v2')
  assert.equal(await answeredBy('/', { headers: ['X-Version: three'] }), 'v1')

  const load = world.load(client, 'http://reviews/')
  await load.more(20)
  for (const [v1, v2] of [
    [0, 100],
    [90, 10],
    [100, 0],
    [50, 50],
  ] as const) {
    await world.apply(split(v1, v2))
    await load.more(20)
  }
  await until('the last split is in force', async () => {
    const share = await shareOfV2(world, client, 20)
    return share > 0.1 && share < 0.9
  })
  const share = await shareOfV2(world, client, 200)
  // Six standard deviations of a fair coin thrown 200 times.
  assert.ok(Math.abs(share - 0.5) < 0.22, `v2 got ${share} of the requests`)
  await load.stop()
  assert.deepEqual(load.failures, [])

  const described = await world.weft(['describe', 'httproute', 'reviews'])
  assert.match(described.out, /Accepted/)
})

test('routing: a backend that does not exist gets its share of 500s, and status says why', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  const { status, out, err } = await world.weft(['apply', '-f', '-'], {
    input: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules: [{ backendRefs: [{ name: wbe, port: 80 }] }]
`,
  })
  assert.equal(status, 0, `${out}${err}`)
  assert.match(`${out}${err}`, /wbe/, 'the missing backend is named when it is written')
  await world.curlUntil(client, 'http://web/', 500)
  await until('status tells it', async () =>
    /BackendNotFound/.test((await world.weft(['describe', 'httproute', 'web'])).out),
  )
  assert.equal((await world.weft(['delete', 'httproute', 'web'])).status, 0)
  await world.curlUntil(client, 'http://web/', 200)

  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: half }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules: [{ backendRefs: [{ name: web, port: 80 }, { name: wbe, port: 80 }] }]
`)
  await world.curlUntil(client, 'http://web/', 500)
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => (await world.curl(client, 'http://web/')).status),
  )
  assert.deepEqual(
    [...new Set(statuses)].toSorted((a, b) => a - b),
    [200, 500],
    'its share, and nothing else',
  )
})
