import type { ResourceList } from '../../control/api/contract.ts'
import { getJson } from '../http-get.ts'
import type { Instance, World } from '../world.ts'
import { allOf, type Check } from './verdict.ts'

const withinMs = 10_000

/** A new instance gets requests by itself; one that dies without a word is forgotten within seconds. */
export const discovery: Check = {
  title: 'discovery',
  async verify(world) {
    const startMs = world.clock.nowMs()
    const fresh = await world.start({ id: 'ratings-2', service: 'ratings', version: 'v1' })
    const upMs = world.clock.nowMs()
    const served = await world.waitFor(
      () => requestsOf(fresh),
      (count) => count > 0,
      withinMs,
    )
    const foundMs = world.clock.nowMs()
    const before = await world.load()
    world.kill(fresh)
    const gone = await world.waitFor(
      () => isRegistered(world, fresh),
      (registered) => !registered,
      withinMs,
    )
    const goneMs = world.clock.nowMs()
    const after = await world.load()
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
    return allOf([
      [
        served !== undefined,
        `a new instance of ratings was up after ${seconds(upMs - startMs)} and had its first request ${seconds(foundMs - upMs)} later`,
      ],
      [gone !== undefined, `killed with SIGKILL, it was gone from the registry after ${seconds(goneMs - foundMs)}`],
      [
        after.failed === before.failed,
        `${after.failed - before.failed} of ${after.sent - before.sent} visits failed meanwhile`,
      ],
    ])
  },
}

const requestsOf = async ({ port }: Instance): Promise<number> =>
  (await getJson<{ requests: number }>(`http://127.0.0.1:${port}/stats`))?.requests ?? 0

async function isRegistered(world: World, { port }: Instance): Promise<boolean> {
  const list = await world.api<ResourceList>('/v1/resources/workloads?namespace=default')
  return list === undefined || JSON.stringify(list.items).includes(`"targetPort":${port}`)
}
