import { protoField } from '../../base/proto-writer.ts'
import type { Random } from '../../base/random.ts'
import type { AdsNode } from '../../xds/ads-client.ts'
import type { LogServer, ResourceField } from '../config.ts'
import type { Exporters, Sender } from './exporters.ts'
import { createStreamSender } from './stream-sender.ts'
import { encodeResource } from '../telemetry/log-record.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createUnarySender, type ExportParts } from './unary-sender.ts'
import { encodeNode } from '../xds/encode-node.ts'

/** What exports need. */
export interface LogExportersParts extends ExportParts {
  readonly exporters: Exporters
  readonly metrics: Metrics
  readonly random: Random
  /** Who tells. */
  readonly node: AdsNode
}

/** What one message may have at most, whatever the configuration says: servers of gRPC take 4 MiB unless told otherwise. */
const largestBatchBytes = 1024 * 1024
/** A batch has no bound but its bytes; what waits besides is bounded by bytes too. */
const batches = { batchEntries: Infinity, mostEntries: Infinity, mostWaiting: Infinity, mostBytes: 4 * 1024 * 1024 }
/** Waits between attempts to open a stream, where nothing is said, ms. */
const usualBackoff = { baseMs: 100, maxMs: 10_000 }

/** What tells servers of logs apart. */
export const logsKey = (server: LogServer): string => `logs ${JSON.stringify(server)}`

/** What takes the entries for a server. Registers `weft_access_log_entries_total`. */
export function createLogExporters(parts: LogExportersParts): (server: LogServer) => (entry: Buffer) => void {
  const total = parts.metrics.counter(
    'weft_access_log_entries_total',
    'Entries of access logs for servers: exported, failed (the server did not take them), or dropped (too many waited).',
    ['collector', 'outcome'],
  )
  return (server) => {
    const { collector, batchBytes, flushMs } = server
    const { cluster } = collector
    return parts.exporters.of({
      key: logsKey(server),
      what: 'access log entries',
      cluster,
      limits: { ...batches, batchBytes: Math.min(batchBytes, largestBatchBytes), delayMs: flushMs },
      open: () => open(server, parts),
      counted: (outcome, entries) => total.of(cluster, outcome).add(entries),
    })
  }
}

function open(server: LogServer, parts: LogExportersParts): Sender {
  const { collector, name } = server
  if (server.kind === 'otlp') {
    const resource = encodeResource([...(server.tellsNode ? labelsOf(name, parts.node) : []), ...server.resource])
    const encode = (records: readonly Buffer[]): Buffer => protoField(1, resource, protoField(2, ...records))
    return createUnarySender(collector, { contentType: 'application/x-protobuf', encode }, parts)
  }
  // Source: envoy.service.accesslog.v3.StreamAccessLogsMessage.
  const identifier = protoField(1, protoField(1, encodeNode(parts.node)), protoField(2, Buffer.from(name)))
  const field = server.entries === 'http' ? 2 : 3
  const { attempts: mostAttempts, ...backoff } = server.opening ?? { ...usualBackoff, attempts: Infinity }
  return createStreamSender(
    {
      collector,
      encode: (entries, first) =>
        first ? Buffer.concat([identifier, protoField(field, ...entries)]) : protoField(field, ...entries),
      backoff,
      mostAttempts,
    },
    parts,
  )
}

/** Source: Envoy, open_telemetry access logger. */
const labelsOf = (name: string, { id, cluster, locality }: AdsNode): readonly ResourceField[] => [
  ['log_name', { kind: 'text', value: name }],
  ['zone_name', { kind: 'text', value: locality?.zone ?? '' }],
  ['cluster_name', { kind: 'text', value: cluster }],
  ['node_name', { kind: 'text', value: id }],
]
