import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import {
  AdaptiveConcurrencySchema,
  type GradientControllerConfigSchema,
} from '../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import type { AdaptiveConcurrency } from '../config.ts'
import { decode, manager, ms, problem, typed, withFilters, type Init } from './testing/decoding.ts'
import { router } from './testing/resources.ts'

type Filter = Init<typeof AdaptiveConcurrencySchema>
const least = {
  concurrencyLimitParams: { concurrencyUpdateInterval: ms(100) },
  minRttCalcParams: { interval: ms(60_000) },
}
const filter = (value: Init<typeof GradientControllerConfigSchema>, more: Filter = {}): Filter =>
  // Both are written by hand, so that together they are too.
  ({ concurrencyControllerConfig: { case: 'gradientControllerConfig', value }, ...more }) as Filter
const listener = (init: Filter): Init<typeof ListenerSchema> =>
  withFilters([manager({ httpFilters: [typed('f', AdaptiveConcurrencySchema, init), router] })])

function read(init: Filter): AdaptiveConcurrency | undefined {
  const terminal = decode('LDS', ListenerSchema, listener(init)).filterChains[0]?.terminal
  assert.ok(terminal?.kind === 'http')
  const [first] = terminal.filters
  return first?.kind === 'adaptive-concurrency' ? first.limit : undefined
}

test('what is not said is as Envoy has it', () => {
  assert.deepEqual(read(filter(least)), {
    percentile: 0.5,
    maxConcurrency: 1000,
    minConcurrency: 3,
    updateMs: 100,
    baseline: { intervalMs: 60_000, requests: 50, jitter: 0.15, buffer: 0.25 },
    status: 503,
    origin: undefined,
  })
})

test('what is switched off is no filter', () => {
  assert.equal(read(filter(least, { enabled: { defaultValue: false } })), undefined)
})

const wrong: readonly (readonly [init: Filter, why: string])[] = [
  [{}, 'gradient_controller_config: is missing'],
  [filter({}), 'concurrency_update_interval: expected at least 1 ms'],
  [filter({}), 'min_rtt_calc_params.interval: expected at least 1 ms'],
  [filter({ ...least, minRttCalcParams: { fixedValue: ms(1) } }), 'min_rtt_calc_params.fixed_value: is not supported'],
  [filter({ ...least, sampleAggregatePercentile: { value: 101 } }), 'sample_aggregate_percentile: expected 0 to 100'],
  [
    filter({
      ...least,
      concurrencyLimitParams: { concurrencyUpdateInterval: ms(100), maxConcurrencyLimit: 2 },
    }),
    'max_concurrency_limit: must be at least 3, got 2',
  ],
]
for (const [init, why] of wrong)
  test(`refused: ${why}`, () => {
    const said = problem('LDS', ListenerSchema, listener(init))
    assert.ok(said.includes(why), said)
  })
