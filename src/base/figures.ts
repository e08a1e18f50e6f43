/** What counters and histograms have counted, as plain data for another process. Gauges tell of their own process and stay there. */
export type Figures = readonly FamilyFigures[]
interface FamilyFigures {
  readonly name: string
  readonly labels: readonly string[]
  readonly series: readonly {
    readonly values: readonly string[]
    /** The counter's value; of a histogram one count per bucket, and then the sum. */
    readonly counted: readonly number[]
  }[]
}
