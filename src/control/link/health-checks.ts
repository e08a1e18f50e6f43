import { isHttp, isHttp2, isUdp, type AppProtocol } from '../../base/app-protocol.ts'
import type { HealthChecksSpec } from '../decode/traffic-health.ts'
import type { TrafficPolicySpec } from '../decode/traffic-policy.ts'
import type { HealthChecks, HealthProbe } from '../model/model.ts'
import type { Destination } from './find-destination.ts'

/** What a policy says of checks for a port of this protocol: none where nothing is connected to, none by HTTP where bytes are passed, none by gRPC where HTTP/2 is not spoken. */
export const checksFor =
  (protocol: AppProtocol) =>
  ({ healthChecks }: Pick<TrafficPolicySpec, 'healthChecks'>): HealthChecksSpec | false | undefined =>
    healthChecks === undefined || healthChecks === false || fits(healthChecks, protocol) ? healthChecks : undefined

const fits = ({ http, grpc }: HealthChecksSpec, protocol: AppProtocol): boolean =>
  !isUdp(protocol) && (http === undefined ? grpc === undefined || isHttp2(protocol) : isHttp(protocol))

/** Names become the model's. */
export const linkHealthChecks = (said: HealthChecksSpec): HealthChecks => ({
  probe: probeOf(said),
  intervalMs: said.interval,
  timeoutMs: said.timeout,
  unhealthyThreshold: said.unhealthyThreshold,
  healthyThreshold: said.healthyThreshold,
})

function probeOf({ http, grpc, tcp }: HealthChecksSpec): HealthProbe {
  if (http !== undefined) return { kind: 'http', ...http }
  return grpc === undefined ? { kind: 'tcp', ...tcp } : { kind: 'grpc', ...grpc }
}

/** Why such checks do nothing for any of these ports; undefined: for one of them they do. */
export function checksNowhere(
  { healthChecks }: Pick<TrafficPolicySpec, 'healthChecks'>,
  { kind, spec }: Destination,
  section: string | undefined,
): string | undefined {
  if (healthChecks === undefined || healthChecks === false) return undefined
  if (kind === 'ExternalService' && spec.resolution === 'None') return 'with resolution None it has no endpoints to ask'
  const ports = spec.ports.filter(({ name }) => section === undefined || name === section)
  if (ports.some(({ protocol }) => fits(healthChecks, protocol))) return undefined
  return healthChecks.grpc === undefined
    ? 'it has no HTTP port; ask by tcp'
    : 'it has no port that is declared grpc or http2; ask by http or tcp, or declare appProtocol'
}
