import assert from 'node:assert/strict'
import { test } from 'node:test'
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
