/** What every kind of series has. */
export interface Series {
  readonly values: readonly string[]
  /** The sweep during which it was last touched. */
  usedAt: number
}
/** Of a counter or gauge. */
export interface NumberSeries extends Series {
  value: number
}
/** Of a histogram. */
export interface HistogramSeries extends Series {
  /** One per bound, and one above them; not cumulated. */
  readonly counts: Float64Array
  sum: number
}

/** What a gauge of several workers of one proxy is together. */
export type GaugeMerge = 'sum' | 'most' | 'least'

/** All series of one name, as the exposition reads them. */
export type AnyFamily = { readonly name: string; readonly help: string; readonly labels: readonly string[] } & (
  | { readonly kind: 'counter'; readonly series: ReadonlyMap<string, NumberSeries> }
  | { readonly kind: 'gauge'; readonly merge: GaugeMerge; readonly series: ReadonlyMap<string, NumberSeries> }
  | {
      readonly kind: 'histogram'
      readonly bounds: readonly number[]
      readonly series: ReadonlyMap<string, HistogramSeries>
    }
)
