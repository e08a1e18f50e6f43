import type { Clock } from '../base/clock.ts'
import { quantile, readMetrics, since, total, type Sample } from './sidecar-metrics.ts'
import type { Instance } from './world.ts'

/** What all sidecars said at one moment. */
export interface Reading {
  readonly atMs: number
  readonly byInstance: ReadonlyMap<string, readonly Sample[]>
}

/** One service, as the sidecars before it counted since the reading before. */
export interface ServiceFigures {
  readonly service: string
  readonly instances: number
  readonly perSecond: number
  /** Share of answers below 500; NaN without any. */
  readonly success: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Who called whom. */
export interface Edge {
  /** SPIFFE ID of the caller. */
  readonly source: string
  /** "default/catalog-v1". */
  readonly destination: string
  readonly calls: number
  /** Of `calls`, those over mutual TLS to a proven identity. */
  readonly encrypted: number
}

const requests = 'weft_requests_total'

/** Asks every sidecar's admin; one that does not answer counts as empty. */
export async function takeReading(instances: readonly Instance[], clock: Clock): Promise<Reading> {
  const pairs = await Promise.all(instances.map(async ({ id, admin }) => [id, await readMetrics(admin)] as const))
  return { atMs: clock.nowMs(), byInstance: new Map(pairs) }
}

/** Figures of each service between two readings, in the order of `instances`. */
export function serviceFigures(
  instances: readonly Instance[],
  before: Reading,
  now: Reading,
): readonly ServiceFigures[] {
  const services = [...new Set(instances.map(({ service }) => service))]
  return services.map((service) => {
    const own = instances.filter((one) => one.service === service)
    const samples = own.flatMap(({ id }) => since(before.byInstance.get(id) ?? [], now.byInstance.get(id) ?? []))
    const inbound = samples.filter(({ labels }) => labels['direction'] === 'inbound')
    const all = total(inbound, requests)
    const failed = total(
      inbound.filter(({ labels }) => Number(labels['status']) >= 500 || labels['status'] === '0'),
      requests,
    )
    const durations = 'weft_request_duration_seconds'
    return {
      service,
      instances: own.length,
      perSecond: all / Math.max(0.001, (now.atMs - before.atMs) / 1000),
      success: all === 0 ? NaN : (all - failed) / all,
      p50Ms: 1000 * quantile(inbound, durations, 0.5),
      p99Ms: 1000 * quantile(inbound, durations, 0.99),
    }
  })
}

/** Every pair that has talked, as the callers' sidecars counted since they started; sorted. */
export function edges({ byInstance }: Reading): readonly Edge[] {
  const found = new Map<string, Edge>()
  for (const { name, labels, value } of [...byInstance.values()].flat()) {
    if (name !== requests || labels['direction'] !== 'outbound' || value === 0) continue
    const { source = 'unknown', destination_service: destination = 'unknown', tls } = labels
    const key = `${source} ${destination}`
    const { calls, encrypted } = found.get(key) ?? { calls: 0, encrypted: 0 }
    found.set(key, { source, destination, calls: calls + value, encrypted: encrypted + (tls === 'true' ? value : 0) })
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, edge]) => edge)
}
