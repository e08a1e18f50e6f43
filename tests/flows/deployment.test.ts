import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('deployment: two commands make a mesh, and the program knows its surroundings', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const { child } = await world.up()
  const port = await freePort()
  const web = await world.run('web', { port, servicePort: port, labels: ['version=v1'] })
  assert.match(child.out, /weft run .*--service web/, 'up says how to go on')

  const reply = await world.curlUntil(web, 'http://web/hello?a=1', 200)
  const seen = JSON.parse(reply.body) as { name: string; path: string; headers: Record<string, string> }
  assert.equal(seen.name, 'web')
  assert.equal(seen.path, '/hello?a=1')
  assert.equal(seen.headers['host'], 'web')

  assert.equal(web.env['WEFT_SERVICE'], 'web')
  assert.equal(web.env['WEFT_NAMESPACE'], 'default')
  assert.equal(web.env['http_proxy'], web.env['HTTP_PROXY'])
  assert.match(web.env['NO_PROXY'] ?? '', /localhost,127\.0\.0\.1,::1/)
  const { out } = await world.weft(['get', 'workloads'])
  assert.match(out, new RegExp(web.name))
})

test("deployment: weft run ends with the program's own status, whichever way it ends", async (t) => {
  const world = createWorld(t)
  await world.up()
  const ended = await world.weft(['run', '--service', 'job', '--', process.execPath, '-e', 'process.exit(7)'])
  assert.equal(ended.status, 7, ended.err)
  const killed = await world.weft(['run', '--service', 'job', '--', 'sh', '-c', 'kill -9 $$'])
  assert.equal(killed.status, 137, killed.err)
  const missing = await world.weft(['run', '--service', 'job', '--', 'no-such-command'])
  assert.equal(missing.status, 1)
  assert.match(missing.err, /no-such-command/)
  const wrong = await world.weft(['run', '--service', 'job', '--port', 'eighty', '--', 'true'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.err, /eighty/)
})

test('deployment: an instance replaces another under load and no request fails', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const before = await world.run('web', { says: 'before' })
  await world.curlUntil(client, 'http://web/', 200)
  const load = world.load(client, 'http://web/slow/20')
  await load.more(20)

  await world.run('web', { says: 'after' })
  await until('the new instance answers', async () => {
    const { body } = await world.curl(client, 'http://web/')
    return body.includes('"after"')
  })
  assert.equal(await before.stop(), 0, 'the program ended by itself, orderly')
  await load.more(50)
  await load.stop()
  assert.deepEqual(load.failures, [])
})
