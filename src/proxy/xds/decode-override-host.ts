import { HealthStatus as XdsStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import {
  OverrideHost_OverrideHostSourceSchema,
  OverrideHostSchema,
  type OverrideHost,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host_pb.ts'
import type { HealthStatus } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const policyFields = fieldNames('override_host_sources fallback_policy')
const sourceFields = fieldNames('header')

/** Names in lower case. Source: envoy OverrideHost. `metadata` is refused: nothing in this proxy sets any of a call. */
export function decodeOverrideHeaders(policy: OverrideHost, path: string, refused: Refusals): readonly string[] {
  knowOnly(OverrideHostSchema, policy, policyFields, path, refused)
  const { overrideHostSources: sources } = policy
  if (sources.length === 0) refused.add(join(path, 'override_host_sources'), 'expected at least one')
  return sources.map((source, index) => {
    const at = join(path, `override_host_sources[${index}]`)
    knowOnly(OverrideHost_OverrideHostSourceSchema, source, sourceFields, at, refused)
    if (source.header === '' && source.metadata === undefined) refused.add(join(at, 'header'), 'is missing')
    return source.header.toLowerCase()
  })
}

/** The name of a status in our configuration; what we do not know of is unknown. */
export const healthStatusName = (status: XdsStatus): HealthStatus => names[status] ?? 'unknown'

const names: Readonly<Record<number, HealthStatus>> = {
  [XdsStatus.HEALTHY]: 'healthy',
  [XdsStatus.UNHEALTHY]: 'unhealthy',
  [XdsStatus.DRAINING]: 'draining',
  [XdsStatus.TIMEOUT]: 'timeout',
  [XdsStatus.DEGRADED]: 'degraded',
}
