import type { SpanExporter } from '../config.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'

/** Where spans go, by exporter; outlives configurations. */
export interface SpanExporters {
  /** What takes the spans of an exporter; the same for equal ones. */
  of(exporter: SpanExporter): (span: EndedSpan) => void
  /** Sends what waits, for at most so long, ms. */
  flush(boundMs: number): Promise<void>
  /** `node_id` and `zone`. */
  readonly self: readonly SpanAttribute[]
}
