import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { condition } from './condition.ts'
import { createConditionTimes } from './condition-times.ts'

const status = (accepted: string, resolved: string): object => ({
  endpoints: { ready: 1 },
  parents: [
    { parentRef: { name: 'web' }, conditions: [condition('Accepted', accepted), condition('ResolvedRefs', resolved)] },
  ],
  problems: ['a: b'],
})

test('a condition keeps its time until its status changes, whatever its reason says', () => {
  const clock = manualClock(1_700_000_000_500)
  const times = createConditionTimes(clock)
  const told = (accepted: string, resolved: string, generation?: number): readonly string[] => {
    const { parents } = times.stamp('HTTPRoute default/a', status(accepted, resolved), generation) as {
      parents: { conditions: { lastTransitionTime: string; observedGeneration?: number }[] }[]
    }
    return parents.flatMap(({ conditions }) =>
      conditions.map(
        ({ lastTransitionTime, observedGeneration }) => `${lastTransitionTime.slice(14)} ${observedGeneration ?? '-'}`,
      ),
    )
  }
  assert.deepEqual(told('Accepted', 'BackendNotFound', 1), ['13:20Z 1', '13:20Z 1'])
  clock.advance(60_000)
  assert.deepEqual(told('Accepted', 'RefNotPermitted', 2), ['13:20Z 2', '13:20Z 2'])
  assert.deepEqual(told('Accepted', 'ResolvedRefs', 3), ['13:20Z 3', '14:20Z 3'])
  clock.advance(60_000)
  assert.deepEqual(told('NoMatchingParent', 'ResolvedRefs'), ['15:20Z -', '14:20Z -'])
  times.keep(new Set())
  clock.advance(60_000)
  assert.deepEqual(told('NoMatchingParent', 'ResolvedRefs'), ['16:20Z -', '16:20Z -'])
})

test('all else in a status stays as it is', () => {
  const times = createConditionTimes(manualClock())
  const stamped = times.stamp('x', status('Accepted', 'ResolvedRefs'), undefined) as Record<string, unknown>
  assert.deepEqual([stamped['endpoints'], stamped['problems']], [{ ready: 1 }, ['a: b']])
  assert.deepEqual(times.stamp('x', { ready: true }, 1), { ready: true })
})
