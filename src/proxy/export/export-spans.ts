import { ownAddress } from '../../base/own-address.ts'
import type { SpanExporter } from '../config.ts'
import type { Exporters } from './exporters.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { otlpFormat } from '../tracing/otlp-format.ts'
import type { SpanExporters } from '../tracing/span-exporters.ts'
import type { SpanFormat } from '../tracing/span-format.ts'
import { zipkinFormat } from '../tracing/zipkin-format.ts'
import { createUnarySender, type ExportParts } from './unary-sender.ts'

/** What exports need. */
export interface SpanExportersParts extends ExportParts {
  readonly exporters: Exporters
  readonly metrics: Metrics
  readonly self: { readonly workload: string; readonly service: string; readonly zone?: string | undefined }
  /** Of this program; "": nobody has said so. */
  readonly version: string
}

/** Of spans in one export, whatever they are; and what waits, since a span may be large by what callers say. */
const bounds = { mostEntries: 256, batchBytes: Infinity, mostBytes: 4 * 1024 * 1024 }

/** What tells exporters of spans apart. */
export const spansKey = (exporter: SpanExporter): string => `spans ${JSON.stringify(exporter)}`

/** Registers `weft_spans_total`. */
export function createSpanExporters(parts: SpanExportersParts): SpanExporters {
  const { exporters, metrics, self, version } = parts
  const total = metrics.counter(
    'weft_spans_total',
    'Spans of calls: exported, failed (the collector did not take them), or dropped (too many waited).',
    ['collector', 'outcome'],
  )
  const formatOf = ({ format }: SpanExporter): SpanFormat =>
    format.kind === 'otlp'
      ? otlpFormat(format, version)
      : zipkinFormat(format, { service: self.service, address: ownAddress() })
  return {
    self: [
      ['node_id', self.workload],
      ['zone', self.zone ?? ''],
    ],
    of(exporter) {
      const { cluster, mostWaiting } = exporter
      const format = formatOf(exporter)
      const take = exporters.of({
        key: spansKey(exporter),
        what: 'spans',
        cluster,
        limits: { ...bounds, batchEntries: format.batchSpans, delayMs: format.batchMs, mostWaiting },
        open: () =>
          createUnarySender(
            exporter,
            { contentType: format.contentType, encode: (spans) => format.join(spans) },
            parts,
          ),
        counted: (outcome, spans) => total.of(cluster, outcome).add(spans),
      })
      return (span) => take(format.encode(span))
    },
  }
}
