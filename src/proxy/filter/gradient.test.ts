import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock, type ManualClock } from '../../base/testing/manual-clock.ts'
import type { AdaptiveConcurrency } from '../config.ts'
import { createGradient, createGradients, type Gradient } from './gradient.ts'

const settings: AdaptiveConcurrency = {
  percentile: 0.5,
  maxConcurrency: 1000,
  minConcurrency: 3,
  updateMs: 100,
  baseline: { intervalMs: 60_000, requests: 50, jitter: 0, buffer: 0.25 },
  status: 503,
  origin: undefined,
}

/** A program that works on so many calls at once, each for so long; the others wait in line. */
interface Program {
  cores: number
  serviceMs: number
}

/** What a stretch of time came to. */
interface Seen {
  served: number
  shed: number
  /** Ascending, ms. */
  readonly latencies: number[]
  most: number
}
const latencyAt = ({ latencies }: Seen, share: number): number =>
  latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * share)] ?? 0

/** Calls that come by chance at a rate, before a program; `gradient` undefined: all are let in. */
function simulation(program: Program, gradient: ((clock: ManualClock) => Gradient) | undefined, seed = 1) {
  const clock = manualClock()
  const random = seeded(seed)
  const limiter = gradient?.(clock)
  const line: { readonly arrivedMs: number; readonly seen: Seen }[] = []
  let busy = 0
  const work = (): void => {
    const next = busy < program.cores ? line.shift() : undefined
    if (next === undefined) return
    busy++
    clock.after(program.serviceMs * (0.8 + random.below(0.4)), () => {
      busy--
      const nowMs = clock.nowMs()
      limiter?.answered(next.arrivedMs, nowMs)
      limiter?.left()
      next.seen.served++
      next.seen.latencies.push(nowMs - next.arrivedMs)
      work()
    })
    work()
  }
  return {
    limiter,
    clock,
    /** Runs for so long, with so many calls a second. */
    run: (forMs: number, perSecond: number): Seen => {
      const seen: Seen = { served: 0, shed: 0, latencies: [], most: 0 }
      const untilMs = clock.nowMs() + forMs
      const arrive = (): void => {
        const inMs = (-Math.log(1 - random.unit()) * 1000) / perSecond
        if (clock.nowMs() + inMs > untilMs) return
        clock.after(inMs, () => {
          if (limiter?.admit(clock.nowMs()) === false) seen.shed++
          else {
            line.push({ arrivedMs: clock.nowMs(), seen })
            seen.most = Math.max(seen.most, line.length + busy)
            work()
          }
          arrive()
        })
      }
      arrive()
      clock.advance(forMs)
      return seen
    },
  }
}
const withGradient = (clock: ManualClock): Gradient => createGradient(settings, seeded(9), clock.nowMs(), () => {})

test('twice the load that a program can bear: it works at full speed, and its answers stay quick', () => {
  const program = { cores: 10, serviceMs: 20 } // 500 a second
  const unbounded = simulation({ ...program }, undefined)
  const piled = unbounded.run(5000, 1000)
  unbounded.run(10_000, 0.001)
  assert.ok(latencyAt(piled, 0.5) > 2000, 'without a bound everybody waits ever longer')

  const bounded = simulation({ ...program }, withGradient)
  bounded.run(5000, 1000)
  const seen = bounded.run(20_000, 1000)
  assert.ok(seen.served > 0.9 * 500 * 20, `${seen.served} of 10000 were served`)
  assert.ok(latencyAt(seen, 0.99) < 120, `p99 ${latencyAt(seen, 0.99)} ms`)
})

test('load that it can bear is let through, but for the moments of measuring', () => {
  const { run, limiter } = simulation({ cores: 10, serviceMs: 20 }, withGradient)
  run(3000, 300)
  const calm = run(50_000, 300)
  assert.equal(calm.shed, 0, 'between two measurements')
  assert.ok((limiter?.baselineMs ?? 0) > 16 && (limiter?.baselineMs ?? 0) < 24, `baseline ${limiter?.baselineMs}`)
  const all = run(120_000, 300)
  assert.ok(all.shed < 0.01 * (all.served + all.shed), `${all.shed} shed of ${all.served + all.shed}`)
})

test('ten times the load in an instant: what is in line stays bounded', () => {
  const { run } = simulation({ cores: 10, serviceMs: 20 }, withGradient)
  run(5000, 300)
  run(2000, 5000)
  const flood = run(5000, 5000)
  assert.ok(flood.most < 100, `${flood.most} at once`)
  assert.ok(flood.served > 0.85 * 500 * 5, `${flood.served} were served`)
  run(1000, 300)
  assert.equal(run(2000, 300).shed, 0, 'and afterwards all is as before')
})

test('a program that becomes slower for good is measured anew, and not throttled for ever', () => {
  const program = { cores: 10, serviceMs: 10 }
  const { run, limiter } = simulation(program, withGradient)
  run(5000, 200)
  program.serviceMs = 40 // 250 a second, still more than are asked
  run(70_000, 200)
  const later = run(20_000, 200)
  assert.ok((limiter?.baselineMs ?? 0) > 30, `baseline ${limiter?.baselineMs}`)
  assert.ok(later.shed < 0.02 * later.served, `${later.shed} shed of ${later.served}`)
})

test('quick failures while the baseline is measured do not throttle the program for long', () => {
  const program = { cores: 10, serviceMs: 0.1 }
  const { run, limiter } = simulation(program, withGradient)
  run(2000, 200)
  assert.ok((limiter?.baselineMs ?? 9) < 1)
  program.serviceMs = 20
  run(5000, 200)
  const later = run(20_000, 200)
  assert.ok(later.shed < 0.02 * later.served, `${later.shed} shed of ${later.served}, baseline ${limiter?.baselineMs}`)
})

test('calls that are never answered hold up a measurement, but not everybody for ever', () => {
  const gradient = createGradient(settings, seeded(1), 0, () => {})
  const admitted = (nowMs: number, count: number): number => {
    let taken = 0
    for (let n = 0; n < count; n++) if (gradient.admit(nowMs)) taken++
    return taken
  }
  assert.equal(admitted(0, 10), 3, 'these hang')
  assert.equal(admitted(5000, 10), 0)
  assert.equal(admitted(6000, 10), 3, 'after a tenth of the interval twice as many may')
  assert.equal(admitted(12_000, 10), 6)
  gradient.answered(12_000, 12_010)
  gradient.left()
  assert.equal(admitted(18_000, 1), 1, 'what was found must do')
  assert.equal(gradient.measuring, false)
  assert.equal(gradient.baselineMs, 10)
})

test('who comes while more are under way tells nothing of the baseline', () => {
  const gradient = createGradient(settings, seeded(1), 1000, () => {})
  gradient.answered(900, 5000)
  for (let n = 0; n < 50; n++) {
    assert.ok(gradient.admit(1000 + n * 10))
    gradient.answered(1000 + n * 10, 1005 + n * 10)
    gradient.left()
  }
  assert.equal(gradient.baselineMs, 5)
  assert.equal(gradient.waiting, 0)
})

test('new settings hold at once, and what was found out stays; who is gone is told', () => {
  const heard: (readonly [string, number])[] = []
  const gradients = createGradients(
    seeded(1),
    () => 0,
    (name, limit) => heard.push([name, limit]),
  )
  const first = gradients.of('a', settings)
  first.admit(0)
  const second = gradients.of('a', { ...settings, minConcurrency: 7 })
  assert.equal(first, second)
  assert.equal(second.limit, 7)
  assert.equal(second.waiting, 1)
  gradients.retain(new Set(['a']))
  assert.equal(gradients.of('a', settings), first)
  gradients.retain(new Set())
  assert.notEqual(gradients.of('a', settings), first)
  assert.deepEqual(heard, [
    ['a', 3],
    ['a', 7],
    ['a', 3],
    ['a', 0],
    ['a', 3],
  ])
})
