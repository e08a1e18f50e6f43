import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf, type Workload } from '../world/world.ts'

/** Of three instances one loses this, by SIGKILL, with everything as it is by default. */
const victims: Readonly<Record<string, (workload: Workload) => number>> = {
  program: ({ programPid }) => programPid,
  sidecar: sidecarOf,
}

/** After so long not even a call that must not be repeated may fail; ms. A busy machine takes its time to tell of an end. */
const settledMs = 1000

for (const [victim, pidOf] of Object.entries(victims)) {
  test(`a ${victim} is killed under 200 requests/s: no GET fails, and POSTs only if they were on its wire`, async (t) => {
    if (!requires(t, 'curl', 'linux')) return
    const world = createWorld(t)
    await world.up()
    const client = await world.run('client', { port: 0 })
    const names = ['a', 'b', 'c']
    const [first] = await Promise.all(names.map((says) => world.run('web', { says })))
    assert.ok(first)
    await until('every instance answers', async () => {
      const replies = await Promise.all(Array.from({ length: 12 }, () => world.curl(client, 'http://web/')))
      return names.every((name) => replies.some(({ body }) => body.includes(`"${name}"`)))
    })

    const gets = startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond: 200 })
    const posts = startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond: 50, method: 'POST' })
    await Promise.all([gets.more(100), posts.more(25)])
    const killedMs = performance.now()
    process.kill(pidOf(first), 'SIGKILL')
    await until('the time after is long enough', () => performance.now() - killedMs > 2 * settledMs)
    await Promise.all([gets.more(100), posts.more(25)])
    await Promise.all([gets.stop(), posts.stop()])

    const lost = posts.visits.filter(({ outcome }) => outcome !== '200')
    const lastMs = Math.max(0, ...lost.map(({ sentMs }) => sentMs - killedMs))
    t.diagnostic(
      `${gets.visits.length} GETs, ${posts.visits.length} POSTs, of which ${lost.length} failed, the last one sent ${lastMs.toFixed(0)} ms after the kill`,
    )
    assert.deepEqual(gets.failures(), [])
    assert.ok(lastMs <= settledMs, posts.failures().join('\n'))
  })
}
