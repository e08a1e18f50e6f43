import type { EndedSpan } from './ended-span.ts'

/** How a kind of collector takes spans, and when they are sent. */
export interface SpanFormat {
  /** Over HTTP. */
  readonly contentType: string
  /** A span, as one part of what `join` makes. */
  encode(span: EndedSpan): Buffer
  /** The message of one export. */
  join(spans: readonly Buffer[]): Buffer
  /** An export begins as soon as so many wait, */
  readonly batchSpans: number
  /** and otherwise so long after the first, ms. */
  readonly batchMs: number
}
