import { expositionLines } from './exposition.ts'
import type { AnyFamily, GaugeMerge, HistogramSeries, NumberSeries } from './series.ts'

/** All figures of one process, as plain data. Fits where `Figures` are wanted. */
export type MetricsSnapshot = readonly FamilySnapshot[]
interface FamilySnapshot {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly kind: AnyFamily['kind']
  /** Of a gauge. */
  readonly merge?: GaugeMerge
  /** Of a histogram. */
  readonly bounds?: readonly number[]
  readonly series: readonly SeriesSnapshot[]
}
interface SeriesSnapshot {
  readonly values: readonly string[]
  /** The number; of a histogram one count per bucket, and then the sum. */
  readonly counted: readonly number[]
}

/** As they are now. */
export const snapshotOf = (families: Iterable<AnyFamily>): MetricsSnapshot =>
  Array.from(families, (family) => {
    const { name, help, labels, kind } = family
    const what = { name, help, labels, kind }
    if (family.kind === 'histogram') {
      const series = Array.from(family.series.values(), (one) => ({
        values: one.values,
        counted: [...one.counts, one.sum],
      }))
      return { ...what, bounds: family.bounds, series }
    }
    const series = Array.from(family.series.values(), ({ values, value }) => ({ values, counted: [value] }))
    return family.kind === 'gauge' ? { ...what, merge: family.merge, series } : { ...what, series }
  })

/** One worker of several. */
export interface WorkerSnapshot {
  readonly worker: number
  readonly snapshot: MetricsSnapshot
}

/** The figures of all workers as those of one proxy, in Prometheus text format; and how many calls each of them had. */
export function mergedExposition(workers: readonly WorkerSnapshot[]): string {
  const families = new Map<string, { readonly first: FamilySnapshot; readonly series: Map<string, SeriesSnapshot> }>()
  for (const { snapshot } of [...workers, { snapshot: [callsByWorker(workers)] }])
    for (const family of snapshot) {
      const key = `${family.name} ${family.labels.join()}`
      let merged = families.get(key)
      if (merged === undefined) families.set(key, (merged = { first: family, series: new Map() }))
      for (const one of family.series) addTo(merged.series, one, family.merge ?? 'sum')
    }
  const lines = [...families.values()].flatMap(({ first, series }) => expositionLines(asFamily(first, series)))
  return `${lines.join('\n')}\n`
}

/** Of a proxy with one process nobody asks; with several it tells whether all of them have work. */
function callsByWorker(workers: readonly WorkerSnapshot[]): FamilySnapshot {
  return {
    name: 'weft_worker_requests_total',
    help: 'Calls that are over, by the worker that had them.',
    labels: ['worker'],
    kind: 'counter',
    series: workers.map(({ worker, snapshot }) => {
      const calls = snapshot.find(({ name }) => name === 'weft_requests_total')?.series ?? []
      return { values: [String(worker)], counted: [calls.reduce((sum, { counted }) => sum + (counted[0] ?? 0), 0)] }
    }),
  }
}

function addTo(series: Map<string, SeriesSnapshot>, one: SeriesSnapshot, merge: GaugeMerge): void {
  const key = one.values.join('\0')
  const before = series.get(key)
  if (before === undefined) return void series.set(key, one)
  const counted = before.counted.map((value, index) => together[merge](value, one.counted[index] ?? 0))
  series.set(key, { values: one.values, counted })
}

const together: Readonly<Record<GaugeMerge, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  most: Math.max,
  least: Math.min,
}

function asFamily(
  { name, help, labels, kind, merge, bounds }: FamilySnapshot,
  all: ReadonlyMap<string, SeriesSnapshot>,
): AnyFamily {
  const what = { name, help, labels }
  if (kind === 'histogram') {
    const series = new Map<string, HistogramSeries>()
    for (const [key, { values, counted }] of all)
      series.set(key, { values, usedAt: 0, counts: Float64Array.from(counted.slice(0, -1)), sum: counted.at(-1) ?? 0 })
    return { ...what, kind, bounds: bounds ?? [], series }
  }
  const series = new Map<string, NumberSeries>()
  for (const [key, { values, counted }] of all) series.set(key, { values, usedAt: 0, value: counted[0] ?? 0 })
  return kind === 'gauge' ? { ...what, kind, merge: merge ?? 'sum', series } : { ...what, kind, series }
}
