import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { AdsNode } from '../../xds/ads-client.ts'
import { createLogExporters } from './export-logs.ts'
import { createSpanExporters } from './export-spans.ts'
import { createExporters } from './exporters.ts'
import { logsTo } from '../logs-to.ts'
import type { Shared } from '../shared.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ExportParts } from './unary-sender.ts'

/** What a proxy has to tell of its work with. */
export interface ExportsParts extends ExportParts {
  readonly self: { readonly workload: string; readonly service: string; readonly zone?: string | undefined }
  /** As servers are to be told who this is; absent: by what `self` says. */
  readonly node?: AdsNode
  readonly version?: string
  readonly accessLog: (path: string) => (line: string) => void
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Spans and access logs, and what takes them to where they are kept. */
export function createExports(parts: ExportsParts): Pick<Shared, 'exporters' | 'spans' | 'logsOf'> {
  const { self, version = '', accessLog, random } = parts
  const exporters = createExporters(parts)
  const node = parts.node ?? {
    id: self.workload,
    cluster: self.service,
    version,
    ...(self.zone !== undefined && { locality: { region: '', zone: self.zone, subZone: '' } }),
  }
  return {
    exporters,
    spans: createSpanExporters({ ...parts, version, exporters }),
    logsOf: logsTo({ to: accessLog, toServer: createLogExporters({ ...parts, exporters, node }), random }),
  }
}
