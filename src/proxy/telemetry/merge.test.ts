import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { mergedExposition } from './merge.ts'
import { createMetrics, type Metrics } from './metrics.ts'

function worker(fill: (metrics: Metrics) => void): Metrics {
  const metrics = createMetrics({ clock: manualClock() })
  fill(metrics)
  metrics.close()
  return metrics
}
/** As it would come from another process. */
const snapshot = (metrics: Metrics) => JSON.parse(JSON.stringify(metrics.snapshot())) as ReturnType<Metrics['snapshot']>

test('the figures of two workers are those of one proxy', () => {
  const fill = (calls: number, revision: number) => (metrics: Metrics) => {
    metrics.counter('weft_requests_total', 'Calls.', ['status']).of('200').add(calls)
    metrics.gauge('active', 'Now.', []).of().set(calls)
    metrics.gauge('revision', 'Oldest.', [], 'least').of().set(revision)
    metrics.gauge('short', 'Any.', [], 'most').of().set(revision)
    const times = metrics.histogram('seconds', 'Time.', [], [1, 2]).of()
    for (let call = 0; call < calls; call++) times.observe(call)
  }
  const [a, b] = [worker(fill(3, 7)), worker(fill(1, 8))]
  b.counter('only_total', 'One of them.', []).of().add(5)
  const text = mergedExposition([
    { worker: 0, snapshot: snapshot(a) },
    { worker: 1, snapshot: snapshot(b) },
  ])
  const values = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  assert.deepEqual(values, [
    'weft_requests_total{status="200"} 4',
    'active 4',
    'revision 7',
    'short 8',
    'seconds_bucket{le="1"} 3',
    'seconds_bucket{le="2"} 4',
    'seconds_bucket{le="+Inf"} 4',
    'seconds_sum 3',
    'seconds_count 4',
    'only_total 5',
    'weft_worker_requests_total{worker="0"} 3',
    'weft_worker_requests_total{worker="1"} 1',
  ])
  const single = a.exposition().trimEnd()
  assert.ok(
    mergedExposition([{ worker: 0, snapshot: snapshot(a) }]).startsWith(single),
    'of one worker it is the same text',
  )
})

test('what a worker had counted is taken over by the next one, whole', () => {
  const fill = (metrics: Metrics): void => {
    metrics.counter('c_total', 'C.', ['x']).of('1').add(2)
    metrics.histogram('h', 'H.', [], [1]).of().observe(5)
    metrics.gauge('g', 'G.', []).of().set(9)
  }
  const last = snapshot(worker(fill))
  const next = worker(fill)
  next.take(last)
  assert.match(next.exposition(), /c_total\{x="1"\} 4\n[^]*h_sum 10\nh_count 2\n[^]*g 9\n/)
})
