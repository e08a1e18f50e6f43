import { grpcStatus } from '../base/grpc.ts'
import type { Log } from '../base/log.ts'
import { ownAddress } from '../base/own-address.ts'
import { askCluster } from './ask-cluster.ts'
import type { World } from './along-route.ts'
import type { SpanExporter } from './config.ts'
import { faultSentence } from './http/fault.ts'
import { headerField, type Headers } from './http/headers.ts'
import type { Shared } from './shared.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { otlpFormat } from './tracing/otlp-format.ts'
import type { SpanFormat } from './tracing/span-format.ts'
import { zipkinFormat } from './tracing/zipkin-format.ts'
import type { SpanExporters } from './tracing/span-exporters.ts'
import { createSpanQueue, type SpanOutcome, type SpanQueue } from './tracing/span-queue.ts'
import { frameExport } from './xds/frame-export.ts'

/** What exports need. */
export interface SpanExportersParts {
  readonly ask: Pick<Shared, 'upstream' | 'wheel' | 'clock'>
  /** The newest configuration. */
  readonly current: () => World
  readonly metrics: Metrics
  readonly log: Log
  readonly self: { readonly workload: string; readonly service: string; readonly zone?: string | undefined }
  /** Of this program; "": nobody has said so. */
  readonly version: string
}

/** More than a collector has any reason to say. */
const limitBytes = 64 * 1024

/** Registers `weft_spans_total`. */
export function createSpanExporters({ ask, current, metrics, log, self, version }: SpanExportersParts): SpanExporters {
  const { clock } = ask
  const total = metrics.counter(
    'weft_spans_total',
    'Spans of calls: exported, failed (the collector did not take them), or dropped (too many waited).',
    ['collector', 'outcome'],
  )
  const queues = new Map<string, SpanQueue>()
  const formatOf = ({ format }: SpanExporter): SpanFormat =>
    format.kind === 'otlp'
      ? otlpFormat(format, version)
      : zipkinFormat(format, { service: self.service, address: ownAddress() })
  const queueOf = (exporter: SpanExporter, format: SpanFormat): SpanQueue => {
    const { cluster } = exporter
    let wasWell = true
    /** Told once when it changes, not for each export. */
    const tell = (problem: string | undefined): boolean => {
      const isWell = problem === undefined
      if (!isWell && wasWell) log.warn('spans are lost: the collector does not take them', { cluster, problem })
      wasWell = isWell
      return isWell
    }
    const send = (spans: readonly Buffer[]): Promise<boolean> =>
      exportOnce(exporter, format, format.join(spans), { world: current(), ask }).then(tell, (bug: unknown) =>
        tell(String(bug)),
      )
    const counted = (outcome: SpanOutcome, spans: number): void => total.of(cluster, outcome).add(spans)
    return createSpanQueue({ send, clock, batch: format, mostWaiting: exporter.mostWaiting, counted })
  }
  return {
    self: [
      ['node_id', self.workload],
      ['zone', self.zone ?? ''],
    ],
    of(exporter) {
      const key = JSON.stringify(exporter)
      const format = formatOf(exporter)
      let queue = queues.get(key)
      if (queue === undefined) queues.set(key, (queue = queueOf(exporter, format)))
      const to = queue
      return (span) => to.add(format.encode(span))
    },
    async flush(boundMs) {
      if (queues.size === 0) return
      const bound = new AbortController()
      const late = clock.sleep(boundMs, bound.signal).catch(() => {})
      await Promise.race([Promise.all(Array.from(queues.values(), (one) => one.flush())), late])
      bound.abort()
    },
  }
}

/** Undefined: it was taken. A sentence: why not. */
async function exportOnce(
  exporter: SpanExporter,
  { contentType }: SpanFormat,
  message: Buffer,
  { world, ask }: { readonly world: World; readonly ask: SpanExportersParts['ask'] },
): Promise<string | undefined> {
  const { cluster, protocol, path, authority, timeoutMs } = exporter
  const isGrpc = protocol === 'grpc'
  const head = { method: 'POST', path, authority, headers: headersOf(exporter, contentType), limitBytes }
  const answer = await askCluster(
    { cluster, head, body: isGrpc ? frameExport(message) : message, timeoutMs },
    world,
    ask,
  )
  if (typeof answer === 'string') return answer
  if ('kind' in answer) return faultSentence(answer)
  if (!isGrpc) return answer.status >= 200 && answer.status < 300 ? undefined : `status ${answer.status}`
  return answer.status === 200 && answer.grpcStatus === grpcStatus.ok
    ? undefined
    : `status ${answer.status}, grpc-status ${answer.grpcStatus ?? 'none'}`
}

const headersOf = ({ protocol, headers }: SpanExporter, contentType: string): Headers => [
  ...(protocol === 'grpc'
    ? [headerField('te', 'trailers'), headerField('content-type', 'application/grpc')]
    : [headerField('content-type', contentType)]),
  headerField('user-agent', 'weft'),
  ...headers.map(([name, value]) => headerField(name, value)),
]
