import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

const versions = ['v1', 'v2']
  .map(
    (version) => `
apiVersion: v1
kind: Service
metadata: { name: reviews-${version} }
spec: { selector: { app: reviews, version: ${version} }, ports: [{ name: http, port: 80 }] }
`,
  )
  .join('---')
const route = (backend: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - { name: slow, matches: [{ path: { value: /slow } }], backendRefs: [{ name: ${backend}, port: 80 }] }
    - backendRefs: [{ name: ${backend}, port: 80 }]
`
const limit = (request: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: reviews }
spec:
  targetRefs: [{ kind: HTTPRoute, name: reviews, sectionName: slow }]
  timeouts: { request: ${request} }
`

test('apply --wait: once it has returned, the very next request of every caller sees the change; none fails meanwhile', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await world.run('reviews', { labels: ['version=v1'], says: 'v1' })
  await world.run('reviews', { labels: ['version=v2'], says: 'v2' })
  const clients = await Promise.all(['a', 'b', 'c'].map((name) => world.run(name, { port: 0 })))
  await world.apply(`${versions}---${route('reviews-v1')}`)
  const applied = async (yaml: string): Promise<string> => {
    const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: yaml })
    assert.equal(status, 0, `${out}${err}`)
    return out
  }
  const answers = (path: string): Promise<readonly { status: number; body: string }[]> =>
    Promise.all(clients.map((client) => world.curl(client, `http://reviews${path}`)))
  await answers('/')
  const loads = clients.map((client) => world.load(client, 'http://reviews/', { ratePerSecond: 50 }))
  await Promise.all(loads.map((load) => load.more(10)))

  for (const version of ['v2', 'v1', 'v2', 'v1']) {
    assert.match(
      await applied(route(`reviews-${version}`)),
      /^HTTPRoute default\/reviews configured\nrevision \d+: 3 proxies serve it\n$/,
    )
    for (const { status, body } of await answers('/')) {
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as { name: string }).name, version)
    }
  }
  const revision = /revision (\d+): 3 proxies serve it/.exec(await applied(limit('100ms')))?.[1]
  for (const { adminUrl, name } of clients) {
    const { body } = await world.curl(undefined, `${adminUrl}/metrics`)
    assert.match(body, new RegExp(`^weft_config_revision ${revision}$`, 'm'))
    const { out } = await world.weft(['proxies'])
    assert.match(out, new RegExp(`^default/${name} +connected \\S+ +${revision} `, 'm'))
  }
  assert.deepEqual(
    (await answers('/slow/600')).map(({ status }) => status),
    [504, 504, 504],
  )
  assert.match(await applied(limit('20s')), /3 proxies serve it/)
  assert.deepEqual(
    (await answers('/slow/300')).map(({ status }) => status),
    [200, 200, 200],
  )
  for (const load of loads) {
    await load.stop()
    assert.deepEqual(load.failures, [])
  }
  assert.match(await applied(limit('20s')), /revision \d+ changes nothing for any proxy/)

  const explained = await world.weft(['explain', '--from', 'a', 'GET', 'http://reviews/slow/1'])
  assert.match(explained.out, /request timeout 20000 ms/)
  assert.match(explained.out, /policy: timeouts\.request +\(TrafficPolicy default\/reviews spec\.timeouts\.request\)/)
  const { out } = await world.weft(['describe', 'trafficpolicy', 'reviews'])
  assert.match(out, /Accepted +True +Accepted/)
})
