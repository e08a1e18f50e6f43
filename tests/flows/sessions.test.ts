import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { cartVersions } from './cart-versions.ts'
import { createWorld } from '../world/world.ts'

const rules = `${cartVersions}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart }
spec:
  parentRefs: [{ name: edge }, { group: '', kind: Service, name: cart }]
  rules:
    - matches: [{ path: { value: /header } }]
      sessionPersistence: { type: Header, sessionName: x-cart }
      backendRefs: [{ name: cart-v1, port: 80 }, { name: cart-v2, port: 80 }]
    - matches: [{ path: { value: /idle } }]
      sessionPersistence: { sessionName: idle, idleTimeout: 3s }
      backendRefs: [{ name: cart-v1, port: 80 }, { name: cart-v2, port: 80 }]
    - sessionPersistence: { sessionName: cart }
      backendRefs: [{ name: cart-v1, port: 80, weight: 1 }, { name: cart-v2, port: 80, weight: 9 }]
`

test('sessions: a client with a cookie jar stays at its instance of a split, and moves when that is gone', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const versions = ['v1', 'v1', 'v2', 'v2']
  const [client, edge, ...instances] = await Promise.all([
    world.run('client', { port: 0 }),
    world.gateway('edge'),
    ...versions.map((version) => world.run('cart', { labels: [`version=${version}`], says: version })),
  ])
  await world.apply(rules)
  for (const [from, url] of [
    [client, 'http://cart/'],
    [undefined, `http://${edge.address}/`],
  ] as const) {
    const jar = path.join(world.dir, from === undefined ? 'edge.jar' : 'client.jar')
    const ask = async (status = 200): Promise<{ pid: number; set: string | undefined }> => {
      const args = ['--cookie', jar, '--cookie-jar', jar]
      const reply = await world.curlUntil(from, url, status, { args })
      return { pid: (JSON.parse(reply.body) as { pid: number }).pid, set: reply.headers['set-cookie']?.[0] }
    }
    await until('the route is there', async () => (await world.curl(from, url)).headers['set-cookie'] !== undefined)
    const first = await ask()
    assert.match(first.set ?? '', /^cart="[A-Za-z0-9+/=]+"; Path=\/; HttpOnly$/)
    for (let count = 0; count < 20; count++) assert.deepEqual(await ask(), { pid: first.pid, set: undefined })
    const strangers = await world.curlEach(
      from,
      Array.from({ length: 60 }, () => url),
    )
    const met = new Set(strangers.map(({ body }) => (JSON.parse(body) as { pid: number }).pid))
    assert.ok(met.size > 1, 'calls without a session are spread')
    if (from === undefined) continue
    const byHeader = await world.curl(from, `${url}header`)
    const value = byHeader.headers['x-cart']?.[0]
    assert.ok(value)
    for (let count = 0; count < 10; count++) {
      const again = await world.curl(from, `${url}header`, { headers: [`x-cart: ${value}`] })
      assert.equal((JSON.parse(again.body) as { pid: number }).pid, (JSON.parse(byHeader.body) as { pid: number }).pid)
      assert.equal(again.headers['x-cart'], undefined)
    }
    const brought = (first.set ?? '').split(';')[0]
    const explained = await world.weft(['explain', '--from', 'client', 'GET', url, '-H', `cookie: ${brought}`])
    assert.match(explained.out, /session +by cookie cart, at 127\./)
    assert.match(explained.out, /100 % to default\/cart-/)
    const own = instances.find(({ programPid }) => programPid === first.pid)
    assert.ok(own, 'the session is at one of the instances')
    await own.stop()
    const moved = await ask()
    assert.notEqual(moved.pid, first.pid)
    assert.match(moved.set ?? '', /^cart=/, 'a new choice, and a new cookie')
    assert.deepEqual(await ask(), { pid: moved.pid, set: undefined })
  }
})

test('sessions: one that is used lasts longer than its idle time, one that is not is over', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const versions = ['v1', 'v1', 'v2', 'v2']
  const [edge] = await Promise.all([
    world.gateway('edge'),
    ...versions.map((version) => world.run('cart', { labels: [`version=${version}`], says: version })),
  ])
  await world.apply(rules)
  const url = `http://${edge.address}/idle`
  const jar = path.join(world.dir, 'idle.jar')
  const ask = async (args: readonly string[]): Promise<{ pid: number; set: string | undefined }> => {
    const reply = await world.curlUntil(undefined, url, 200, { args: [...args] })
    return { pid: (JSON.parse(reply.body) as { pid: number }).pid, set: reply.headers['set-cookie']?.[0] }
  }
  const used = ['--cookie', jar, '--cookie-jar', jar]
  await until('the route is there', async () => (await world.curl(undefined, url)).headers['set-cookie'] !== undefined)
  const first = await ask(used)
  assert.match(first.set ?? '', /^idle="[A-Za-z0-9+/=]+"; Path=\/; HttpOnly$/)
  const firstS = systemClock.wallMs() / 1000
  let last = first.set ?? ''
  let told = 0
  while (systemClock.wallMs() / 1000 < firstS + 6) {
    const again = await ask(used)
    assert.equal(again.pid, first.pid)
    if (again.set !== undefined) told++
    last = again.set ?? last
    await systemClock.sleep(500)
  }
  assert.ok(told >= 4, 'about once a second it is told anew')
  const stale = ['--cookie', last.split(';')[0] ?? '']
  assert.equal((await ask(stale)).pid, first.pid)
  await systemClock.sleep(4000)
  const met = new Set<number>()
  for (let count = 0; count < 40; count++) met.add((await ask(stale)).pid)
  assert.ok(met.size > 1, 'it is over, and calls are spread')
})
