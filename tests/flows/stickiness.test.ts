import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { cartVersions } from './cart-versions.ts'
import { createWorld } from '../world/world.ts'

const rules = `${cartVersions}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart }
spec:
  parentRefs: [{ group: '', kind: Service, name: cart }]
  rules: [{ backendRefs: [{ name: cart-v1, port: 80 }, { name: cart-v2, port: 80 }] }]
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: cart }
spec:
  targetRefs: [{ kind: Namespace, name: default }]
  loadBalancing: { algorithm: RingHash, hashOn: [{ cookie: { name: shopper, ttl: 0s, path: / } }] }
`

test('stickiness: a client keeps its version of a split and its instance, by a cookie that it was given', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const instances = ['v1', 'v1', 'v2', 'v2']
  await Promise.all(instances.map((version) => world.run('cart', { labels: [`version=${version}`], says: version })))
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: rules })
  assert.equal(status, 0, `${out}${err}`)

  const instanceOf = async (cookie: string): Promise<{ pid: number; name: string; given: string }> => {
    const { status: code, body, headers } = await world.curl(client, 'http://cart/', { headers: [`cookie: ${cookie}`] })
    assert.equal(code, 200, body)
    const { pid, name } = JSON.parse(body) as { pid: number; name: string }
    return { pid, name, given: headers['set-cookie']?.[0] ?? '' }
  }
  const first = await instanceOf('other=1')
  const cookie = /^shopper="[0-9a-f]+"; Path=\/; HttpOnly$/.exec(first.given)?.[0].split(';')[0]
  assert.ok(cookie, first.given)
  for (let count = 0; count < 10; count++) {
    assert.deepEqual(await instanceOf(cookie), { pid: first.pid, name: first.name, given: '' })
  }
  const shoppers = await Promise.all(Array.from({ length: 60 }, (_, index) => instanceOf(`shopper=${index}`)))
  assert.equal(new Set(shoppers.map(({ pid }) => pid)).size, instances.length, 'many shoppers fill every instance')

  const explained = await world.weft(['explain', '--from', 'client', 'GET', 'http://cart/', '-H', `cookie: ${cookie}`])
  assert.match(explained.out, new RegExp(`100 % to default/cart-${first.name}/80`), explained.out)
  assert.match(
    explained.out,
    /policy: loadBalancing\.hashOn +\(TrafficPolicy default\/cart spec\.loadBalancing\.hashOn\)/,
  )
})
