import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startChild, type Child } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('discovery: a service is found by each of its names and ports', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const port = await freePort()
  const web = await world.run('web', { namespace: 'shop', port, servicePort: port })
  await world.curlUntil(client, 'http://web.shop/', 200)
  for (const host of ['web.shop', `web.shop:${web.port}`, 'web.shop.svc.cluster.local', 'WEB.shop']) {
    const { status, body, error } = await world.curl(client, `http://${host}/`)
    assert.equal(status, 200, `${host}: ${body}${error}`)
  }
  const other = await world.curl(client, 'http://web.shop:81/')
  assert.equal(other.status, 502)
  assert.match(other.body, /service shop\/web has no port 81; it has 80, /)
  const short = await world.curl(client, 'http://web/', { args: ['--max-time', '5'] })
  assert.notEqual(short.status, 200, 'web is not in the namespace of client')
})

test('discovery: a new instance takes its share, a killed one goes within seconds and nobody notices', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const first = await world.run('web', { says: 'first' })
  await world.curlUntil(client, 'http://web/', 200)
  await world.run('web', { says: 'second' })
  await until('both answer', async () => {
    const bodies = await Promise.all(Array.from({ length: 10 }, () => world.curl(client, 'http://web/')))
    return ['"first"', '"second"'].every((name) => bodies.some(({ body }) => body.includes(name)))
  })

  const load = world.load(client, 'http://web/')
  await load.more(20)
  // Agent, sidecar and program at once: nobody says goodbye.
  first.child.killAll()
  await load.more(100)
  await until('its Workload is gone', async () => !(await world.weft(['get', 'workloads'])).out.includes(first.name), {
    withinMs: 30_000,
  })
  await load.stop()
  assert.deepEqual(load.failures, [])
})

test('discovery: a service whose only instance is away says so at once, and answers when it is back', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const first = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  first.child.signal('SIGTERM')
  await until('its Workload is gone', async () => !(await world.weft(['get', 'workloads'])).out.includes(first.name))
  await until('that there is none is known', async () =>
    /default\/web\/80 has no healthy endpoint/.test((await world.curlUntil(client, 'http://web/', 503)).body),
  )
  assert.match((await world.weft(['get', 'services'])).out, /web .*0\/0/)
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
})

test('discovery: a workload whose port does not answer is not ready and gets no request', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web', { says: 'answers' })
  await world.curlUntil(client, 'http://web/', 200)
  // Declares a port, but the program (a client) never listens there.
  const flags = ['--service', 'web', '--port', '1', '--label', 'mute=yes']
  world.start('weft run mute', ['run', ...flags, '--', process.execPath, '-e', 'setInterval(() => {}, 1e9)'])
  await until('it is registered', async () => {
    const { out } = await world.weft(['get', 'workloads', '-o', 'json'])
    return /"mute": ?"yes"/.test(out)
  })
  for (let count = 0; count < 20; count++) {
    const { status, body } = await world.curl(client, 'http://web/')
    assert.equal(status, 200)
    assert.match(body, /"answers"/)
  }
})

test('discovery: an instance begins with the routes that the one before it used', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await world.run('web')
  const first = await world.run('client', { port: 0 })
  await world.curlUntil(first, 'http://web/', 200)
  await first.stop()
  const second = await world.run('client', { port: 0 })
  await until('it has them before any call', async () => {
    const { out } = await world.weft(['config', second.name, 'routes'])
    return out.includes('default/web/80')
  })
})

test('discovery: instances without a sidecar come from files, as Workloads and as EndpointSlices', async (t) => {
  if (!requires(t, 'curl', 'python3')) return
  const outsiders: Child[] = []
  t.after(() => outsiders.forEach((child) => child.killAll()))
  const world = createWorld(t)
  const [one, other] = [await freePort(), await freePort()]
  for (const port of [one, other]) {
    const command = ['python3', '-m', 'http.server', String(port), '--bind', '127.0.0.1'] as const
    outsiders.push(startChild('outside', command, { env: world.env, cwd: world.dir }))
  }
  const slice = (ready: boolean): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: listed, labels: {kubernetes.io/service-name: listed}}
addressType: IPv4
ports: [{port: ${other}}]
endpoints: [{addresses: [127.0.0.1], conditions: {ready: ${ready}}}]`
  const written = `
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: legacy-1}
spec: {service: legacy, address: 127.0.0.1, ports: [{servicePort: 80, targetPort: ${one}}]}
---
apiVersion: v1
kind: Service
metadata: {name: listed}
spec: {ports: [{port: 80}]}
---`
  const file = world.file('outside.yaml', written + slice(true))
  await world.up({ args: ['-f', file] })
  const client = await world.run('client', { port: 0 })
  await world.curlUntil(client, 'http://legacy/', 200)
  await world.curlUntil(client, 'http://listed/', 200)
  assert.match((await world.weft(['get', 'services'])).out, /listed +80 +1\/1/)
  world.file('outside.yaml', written + slice(false))
  await world.curlUntil(client, 'http://listed/', 503)
})
