import type { HealthCheck } from '../config.ts'
import type { Random } from '../../base/random.ts'

/** What active checks have found out about an endpoint. */
export interface Probe {
  /**
   * `unchecked`: there when checking began, and believed in until the first result; `new`: came later, and waits for a good one.
   */
  status: 'unchecked' | 'new' | 'healthy' | 'failed'
  /** It answers, and says that it would rather not. */
  degraded: boolean
  /** Results in a row against its status. */
  contrary: number
  /** Why the last check failed; "" when it did not. */
  why: string
}

/** How one check ended; `wrong`: an answer came, and it says no. */
export type ProbeResult =
  | { readonly kind: 'passed'; readonly degraded: boolean }
  | { readonly kind: 'failed'; readonly wrong: boolean; readonly why: string }

/** For calls: may it be asked? */
export const isTrusted = ({ status }: Probe): boolean => status === 'healthy' || status === 'unchecked'

/** Notes a result. Returns whether the endpoint is to be seen otherwise now. Source: Envoy, "Health checking". */
export function noteProbe(
  probe: Probe,
  result: ProbeResult,
  { healthyThreshold, unhealthyThreshold }: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>,
): boolean {
  const { status, degraded } = probe
  if (result.kind === 'passed') {
    probe.why = ''
    probe.degraded = result.degraded
    probe.contrary = status === 'failed' ? probe.contrary + 1 : 0
    if (status !== 'failed' || probe.contrary >= healthyThreshold) become(probe, 'healthy')
  } else {
    probe.why = result.why
    probe.contrary = status === 'healthy' ? probe.contrary + 1 : 0
    if (status !== 'healthy' || result.wrong || probe.contrary >= unhealthyThreshold) become(probe, 'failed')
  }
  return probe.status !== status || probe.degraded !== degraded
}

function become(probe: Probe, status: Probe['status']): void {
  if (probe.status !== status) probe.contrary = 0
  probe.status = status
}

/** When the next check follows, ms. Source: Envoy HealthCheck, the fields of that name. */
export function nextCheckMs(
  check: HealthCheck,
  { healthy, changed, used }: { readonly healthy: boolean; readonly changed: boolean; readonly used: boolean },
  random: Random,
): number {
  const baseMs = !used
    ? healthy
      ? check.noTrafficHealthyIntervalMs
      : check.noTrafficIntervalMs
    : healthy
      ? changed
        ? check.healthyEdgeIntervalMs
        : check.intervalMs
      : changed
        ? check.unhealthyEdgeIntervalMs
        : check.unhealthyIntervalMs
  return baseMs + random.below((baseMs * check.intervalJitterPercent) / 100) + random.below(check.intervalJitterMs)
}
