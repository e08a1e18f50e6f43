import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf } from '../world/world.ts'

/** How instances are replaced. */
export interface Rolling {
  readonly instances: number
  /** How often each is replaced. */
  readonly rounds: number
  /** `term`: as an operator does it. `kill`: program, sidecar and agent die at once, without a word. */
  readonly by: 'term' | 'kill'
  readonly ratePerSecond: number
  /** The load goes on at least so long, ms. */
  readonly lastsMs: number
}

/** Replaces the instances of a service one after the other, each by a new one, under a steady load of GETs. None may fail. */
export async function rollUnderLoad(t: TestContext, rolling: Rolling): Promise<void> {
  const { instances, rounds, by, ratePerSecond, lastsMs } = rolling
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const start = (index: number, round: number) => world.run('web', { says: `web-${index}-${round}` })
  const running = await Promise.all(Array.from({ length: instances }, (_, index) => start(index, 0)))
  const answers = (name: string) =>
    until(`${name} answers`, async () => (await world.curl(client, 'http://web/')).body.includes(`"${name}"`), {
      withinMs: 60_000,
    })
  for (const index of running.keys()) await answers(`web-${index}-0`)

  const startMs = performance.now()
  const load = startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond })
  await load.more(ratePerSecond / 2)
  for (let round = 1; round <= rounds; round++) {
    for (const [index, before] of running.entries()) {
      if (by === 'term') assert.equal(await before.stop(), 0)
      else {
        for (const pid of [before.child.pid, sidecarOf(before), before.programPid]) process.kill(pid, 'SIGKILL')
        await before.child.ended
      }
      running[index] = await start(index, round)
      await answers(`web-${index}-${round}`)
    }
  }
  await until('the load has lasted long enough', () => performance.now() - startMs >= lastsMs, {
    withinMs: lastsMs + 1000,
  })
  await load.more(ratePerSecond / 2)
  await load.stop()
  const slow = load.visits.map(({ tookMs }) => tookMs).toSorted((a, b) => b - a)
  t.diagnostic(`${load.visits.length} requests, the slowest took ${slow.slice(0, 3).map(Math.round).join(', ')} ms`)
  assert.deepEqual(load.failures(), [])
}
