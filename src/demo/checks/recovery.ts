import { allOf, type Check } from './verdict.ts'
import { instanceOf, visit } from './visits.ts'

const count = 600
/** So many calls at a time: about half of them are on the instance when it dies, and the retry budget lets 3 try again at once. */
const width = 8

/** An instance is killed under load, and no GET fails. */
export const recovery: Check = {
  title: 'recovery',
  async verify(world) {
    const victim = world.instances().findLast(({ service }) => service === 'reviews')
    if (victim === undefined) throw new Error('no instance of reviews runs')
    const before = await world.load()
    const visiting = visit(instanceOf(world, 'storefront'), 'reviews', count, width)
    await world.pause(200)
    world.kill(victim)
    const visits = await visiting
    await world.pause(3000)
    const after = await world.load()
    const failedLoad = after.failed - before.failed
    const { calls, onDemand, id, service, version } = victim
    await world.start({ id, service, version, ...(calls && { calls }), ...(onDemand && { onDemand }) })
    return allOf([
      [
        visits.failed === 0,
        `one of two instances killed with SIGKILL: ${visits.failed} of ${count} GETs failed ${visits.lastFailure}`.trim(),
      ],
      [
        failedLoad === 0,
        `${failedLoad} of ${after.sent - before.sent} visits of the steady load failed${failedLoad > 0 ? ` (${after.lastFailures.join(' | ')})` : ''}`,
      ],
    ])
  },
}
