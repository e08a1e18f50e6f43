import type { Clock } from '../../base/clock.ts'
import { expositionLines } from './exposition.ts'
import { createFiguresGiver, takeFigures } from './hand-over.ts'
import type { Figures } from '../../base/figures.ts'
import { snapshotOf, type MetricsSnapshot } from './merge.ts'
import type { AnyFamily, GaugeMerge, HistogramSeries, NumberSeries, Series } from './series.ts'

/** One number that only grows. */
export interface Counter {
  /** `by` ≥ 0. */
  add(by: number): void
}
/** One number that goes up and down. */
export interface Gauge {
  add(by: number): void
  set(to: number): void
}
/** How often a value fell into which bucket. */
export interface Histogram {
  /** In the unit of the bounds. */
  observe(value: number): void
}

/** All series of one name. `of` takes one value per label name, in their order; "" leaves the label out. */
export interface Family<S> {
  of(...values: readonly string[]): S
}

/** All figures of a process. */
export interface Metrics {
  counter(name: string, help: string, labels: readonly string[]): Family<Counter>
  /** `merge`: what those of several workers are together; absent: their sum. */
  gauge(name: string, help: string, labels: readonly string[], merge?: GaugeMerge): Family<Gauge>
  /** `bounds`: upper ends of the buckets, ascending, without +Inf. */
  histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Family<Histogram>
  /** Prometheus text exposition format 0.0.4. */
  exposition(): string
  /** All of it as plain data, for another worker of the same proxy. */
  snapshot(): MetricsSnapshot
  /** What was counted since the last time that this was asked, for the process that takes our place. */
  give(): Figures
  /** Adds what the process before us has counted. */
  take(figures: Figures): void
  /** Grows whenever series have expired: whoever keeps series drops them then and asks for new ones. */
  readonly generation: number
  readonly seriesCount: number
  /** Stops looking for expired series. */
  close(): void
}

/** How many figures are kept, and how long. */
export interface MetricsOptions {
  readonly clock: Clock
  /** A series that was not touched for this long goes, ms. */
  readonly expireAfterMs?: number
  /** More series than this, over all names, are not made: what they would say is counted in `weft_metrics_overflow_total`. */
  readonly maxSeries?: number
}

interface Made {
  of(...values: readonly string[]): Series
}

const counting = { kind: 'counter' } as const
/** Series are looked over this many times until they expire. */
const sweepsToExpire = 10

/** No family yet. Asking twice for the same name is a bug and throws. */
export function createMetrics({ clock, expireAfterMs = 600_000, maxSeries = 10_000 }: MetricsOptions): Metrics {
  const families = new Map<string, AnyFamily & { readonly sweep: () => number } & Pick<Made, 'of'>>()
  const giver = createFiguresGiver()
  let sweeps = 0
  let generation = 0
  let seriesCount = 0

  const sweeper = clock.every(
    expireAfterMs / sweepsToExpire,
    () => {
      sweeps++
      let expired = 0
      for (const family of families.values()) expired += family.sweep()
      seriesCount -= expired
      if (expired > 0) generation++
    },
    { background: true },
  )

  function family<S extends Series>(
    what: Pick<AnyFamily, 'name' | 'help' | 'labels'>,
    make: (values: readonly string[]) => S,
    isQuiet: (series: S) => boolean,
  ): { series: Map<string, S>; of(...values: readonly string[]): S; readonly sweep: () => number } {
    if (families.has(what.name)) throw new Error(`metric ${what.name} is made twice`)
    const series = new Map<string, S>()
    const surplus = make(what.labels.map(() => ''))
    return {
      series,
      of(...values) {
        const key = values.join('\0')
        const known = series.get(key)
        if (known !== undefined) return known
        if (seriesCount >= maxSeries && what.name !== overflowName) {
          overflow.of(what.name).add(1)
          return surplus
        }
        const made = make(values)
        series.set(key, made)
        seriesCount++
        return made
      },
      sweep() {
        let expired = 0
        for (const [key, one] of series)
          if (sweeps - one.usedAt > sweepsToExpire && isQuiet(one) && series.delete(key)) expired++
        return expired
      },
    }
  }

  function numbers(
    kind: { readonly kind: 'counter' } | { readonly kind: 'gauge'; readonly merge: GaugeMerge },
    name: string,
    help: string,
    labels: readonly string[],
  ): Family<Gauge> {
    const what = { name, help, labels }
    const made = family(
      what,
      (values): NumberSeries & Gauge => ({
        values,
        usedAt: sweeps,
        value: 0,
        add(by) {
          this.value += by
          this.usedAt = sweeps
        },
        set(to) {
          this.value = to
          this.usedAt = sweeps
        },
      }),
      ({ value }) => kind.kind === 'counter' || value === 0,
    )
    families.set(name, {
      ...what,
      ...kind,
      series: made.series,
      sweep: made.sweep,
      of: (...values) => made.of(...values),
    })
    return made
  }

  const overflowName = 'weft_metrics_overflow_total'
  const overflow: Family<Counter> = numbers(counting, overflowName, 'Series that were not made for want of room.', [
    'metric',
  ])

  return {
    counter: (name, help, labels) => numbers(counting, name, help, labels),
    gauge: (name, help, labels, merge = 'sum') => numbers({ kind: 'gauge', merge }, name, help, labels),
    histogram(name, help, labels, bounds) {
      const what = { name, help, labels }
      const made = family(
        what,
        (values): HistogramSeries & Histogram => ({
          values,
          usedAt: sweeps,
          counts: new Float64Array(bounds.length + 1),
          sum: 0,
          observe(value) {
            let bucket = 0
            while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++
            this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
            this.sum += value
            this.usedAt = sweeps
          },
        }),
        () => true,
      )
      families.set(name, {
        ...what,
        kind: 'histogram',
        bounds,
        series: made.series,
        sweep: made.sweep,
        of: (...values) => made.of(...values),
      })
      return made
    },
    exposition: () => `${[...families.values()].flatMap(expositionLines).join('\n')}\n`,
    snapshot: () => snapshotOf(families.values()),
    give: () => giver.give(families.values()),
    take: (figures) =>
      takeFigures(figures, (name, labels) => {
        const known = families.get(name)
        return known?.labels.join() === labels.join() ? known : undefined
      }),
    get generation() {
      return generation
    },
    get seriesCount() {
      return seriesCount
    },
    close: () => sweeper.cancel(),
  }
}
