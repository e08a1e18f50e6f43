import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf } from '../world/world.ts'

test('recovery: of two instances one program is killed; its sidecar lives on, and no GET fails', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const first = await world.run('web', { says: 'first' })
  await world.run('web', { says: 'second' })
  await until('both answer', async () => {
    const bodies = await Promise.all(Array.from({ length: 10 }, () => world.curl(client, 'http://web/')))
    return ['"first"', '"second"'].every((name) => bodies.some(({ body }) => body.includes(name)))
  })
  const load = world.load(client, 'http://web/')
  await load.more(20)
  process.kill(first.programPid, 'SIGKILL')
  await load.more(200)
  assert.equal(await first.child.ended, 137)
  await load.stop()
  // GETs may be repeated, also the one that was under way; a POST could not be.
  assert.deepEqual(load.failures, [])
})

test('recovery: a sidecar that crashes comes back on the same sockets', async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  process.kill(sidecarOf(client), 'SIGKILL')
  // Connections wait in the socket's queue until the next sidecar takes them.
  await world.curlUntil(client, 'http://web/', 200)
})

test('recovery: when nobody can answer, the caller is told what is wrong', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  assert.equal(await web.stop(), 0)
  const reply = await world.curl(client, 'http://web/')
  assert.ok(reply.status === 503 || reply.status === 502, `${reply.status} ${reply.body}`)
  assert.match(reply.body, /web/, 'the answer names the service')
})
