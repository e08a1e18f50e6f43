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

test('recovery: hedging at a learnt percentile: an instance that is slow now and then is felt by nobody', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const [first] = await Promise.all([world.run('web', { says: 'first' }), world.run('web', { says: 'second' })])
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    `apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: hedge }\nspec:\n  targetRefs: [{ kind: Service, name: web }]\n  loadBalancing: { algorithm: RoundRobin }\n  hedging: { atPercentile: 95 }\n`,
  )
  const explained = async (): Promise<string> =>
    (await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])).out
  await until('it is in force', async () => /hedging: not yet/.test(await explained()))
  const load = world.load(client, 'http://web/')
  await load.more(200)
  await until('enough is learnt', async () =>
    /hedging: another attempt after [\d.]+ ms \(percentile 95/.test(await explained()),
  )
  assert.match(await explained(), /policy: hedging +\(TrafficPolicy default\/hedge spec\.hedging\)/)

  process.kill(first.programPid, 'SIGSTOP')
  const beganMs = performance.now()
  const replies = await world.curlEach(
    client,
    Array.from({ length: 20 }, () => 'http://web/'),
  )
  const tookMs = performance.now() - beganMs
  process.kill(first.programPid, 'SIGCONT')
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.ok(
    replies.every(({ status, body }) => status === 200 && body.includes('"second"')),
    'whole replies of the other one',
  )
  assert.ok(tookMs < 10_000, `${tookMs} ms for 20 calls, half of which met a program that stands still`)
  const { body } = await world.curl(undefined, `${client.adminUrl}/metrics`)
  assert.match(body, /weft_hedges_total\{cluster="default\/web\/80",outcome="won"\} [1-9]/)
})
