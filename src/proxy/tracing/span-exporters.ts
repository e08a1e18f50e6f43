import type { SpanExporter } from '../config.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'

/** Where spans go, by exporter; outlives configurations. */
export interface SpanExporters {
  /** What takes the spans of an exporter; for equal ones they go the same way. */
  of(exporter: SpanExporter): (span: EndedSpan) => void
  /** `node_id` and `zone`. */
  readonly self: readonly SpanAttribute[]
}
