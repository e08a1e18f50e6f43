import type { Figures } from '../../base/figures.ts'
import type { AnyFamily, HistogramSeries, NumberSeries, Series } from './series.ts'

/** Gives each count away once. */
export interface FiguresGiver {
  /** All that has been counted since the last time. */
  give(families: Iterable<AnyFamily>): Figures
}

/** Has given nothing yet. */
export function createFiguresGiver(): FiguresGiver {
  const given = new WeakMap<Series, readonly number[]>()
  const more = (series: Series, now: readonly number[]): readonly number[] => {
    const before = given.get(series)
    given.set(series, now)
    return before === undefined ? now : now.map((value, index) => value - (before[index] ?? 0))
  }
  const ofFamily = (family: AnyFamily): Figures[number]['series'] => {
    if (family.kind === 'gauge') return []
    const all =
      family.kind === 'histogram'
        ? Array.from(family.series.values(), (one) => ({ one, now: [...one.counts, one.sum] }))
        : Array.from(family.series.values(), (one) => ({ one, now: [one.value] }))
    return all
      .map(({ one, now }) => ({ values: one.values, counted: more(one, now) }))
      .filter(({ counted }) => counted.some((count) => count > 0))
  }
  return {
    give: (families) =>
      Array.from(families, (family) => ({ name: family.name, labels: family.labels, series: ofFamily(family) })).filter(
        ({ series }) => series.length > 0,
      ),
  }
}

/** Adds what another process has counted. What does not fit (it was of another version) is left out. */
export function takeFigures(
  figures: Figures,
  find: (
    name: string,
    labels: readonly string[],
  ) => { readonly kind: AnyFamily['kind']; of(...values: readonly string[]): Series } | undefined,
): void {
  for (const { name, labels, series } of figures) {
    const family = find(name, labels)
    if (family === undefined || family.kind === 'gauge') continue
    for (const { values, counted } of series) {
      const one = family.of(...values)
      if (family.kind === 'counter') (one as NumberSeries).value += counted[0] ?? 0
      else addToHistogram(one as HistogramSeries, counted)
    }
  }
}

function addToHistogram(one: HistogramSeries, counted: readonly number[]): void {
  if (counted.length !== one.counts.length + 1) return
  for (const index of one.counts.keys()) one.counts[index] = (one.counts[index] ?? 0) + (counted[index] ?? 0)
  one.sum += counted.at(-1) ?? 0
}
