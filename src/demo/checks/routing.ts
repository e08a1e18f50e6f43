import { planFolder } from '../tour.ts'
import { allOf, type Check } from './verdict.ts'
import { instanceOf, visit } from './visits.ts'

const count = 400
/** Four standard deviations of a binomial: a right split fails once in ten thousand checks. */
const spread = (share: number): number => 4 * Math.sqrt(count * share * (1 - share))

/** The shares of two versions follow the weights, before and after an apply. */
export const routing: Check = {
  title: 'routing',
  async verify(world) {
    const storefront = instanceOf(world, 'storefront')
    const before = await visit(storefront, 'catalog', count)
    const startMs = world.clock.nowMs()
    const applied = await world.weft('apply', '-f', `${planFolder(world)}split-50-50.yaml`)
    const moved = await world.waitFor(
      () => visit(storefront, 'catalog', 60),
      ({ versions }) => (versions['v2'] ?? 0) > 15,
    )
    const tookMs = world.clock.nowMs() - startMs
    const after = await visit(storefront, 'catalog', count)
    const restored = await world.weft('apply', '-f', `${world.examples}split.yaml`)
    const v2 = [before, after].map(({ versions }) => versions['v2'] ?? 0)
    const [v2Before = 0, v2After = 0] = v2
    return allOf([
      [Math.abs(v2Before - count * 0.1) <= spread(0.1), `weights 90/10 gave v2 ${v2Before} of ${count}`],
      [applied.status === 0 && restored.status === 0, 'weft apply took 50/50'],
      [moved !== undefined, `the change was seen within ${Math.round(tookMs)} ms`],
      [Math.abs(v2After - count * 0.5) <= spread(0.5), `then v2 got ${v2After} of ${count}`],
      [
        before.failed + after.failed === 0,
        `${before.failed + after.failed} failed ${before.lastFailure}${after.lastFailure}`.trim(),
      ],
    ])
  },
}
