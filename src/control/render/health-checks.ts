import type { MessageInitShape } from '@bufbuild/protobuf'
import { RequestMethod } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  HealthCheckSchema,
  HealthCheck_HttpHealthCheckSchema,
  HealthCheck_PayloadSchema,
} from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { CodecClientType } from '../../xds/gen/envoy/type/v3/http_pb.ts'
import type { HealthChecks, HealthProbe } from '../model/model.ts'
import { duration } from './parts.ts'

type Check = MessageInitShape<typeof HealthCheckSchema>

/** A cluster's active check. `host`: what is asked for where the policy does not say; `http2`: what the cluster speaks. */
export const renderHealthCheck = (
  { probe, intervalMs, timeoutMs, unhealthyThreshold, healthyThreshold }: HealthChecks,
  service: { readonly host: string; readonly http2: boolean },
): Check => ({
  interval: duration(intervalMs),
  // Proxies that start together shall not ask together.
  intervalJitterPercent: 10,
  timeout: duration(timeoutMs),
  unhealthyThreshold,
  healthyThreshold,
  healthChecker: renderProbe(probe, service),
})

function renderProbe(
  probe: HealthProbe,
  { host, http2 }: { readonly host: string; readonly http2: boolean },
): NonNullable<Check['healthChecker']> {
  switch (probe.kind) {
    case 'http': {
      const value: MessageInitShape<typeof HealthCheck_HttpHealthCheckSchema> = {
        host: probe.host ?? host,
        path: probe.path,
        method: RequestMethod[probe.method],
        // xDS: half-open.
        expectedStatuses: probe.expectedStatuses.map(({ from, to }) => ({ start: BigInt(from), end: BigInt(to + 1) })),
        // The threshold counts wrong answers too: what is expected goes first.
        retriableStatuses: [{ start: 100n, end: 600n }],
        codecClientType: http2 ? CodecClientType.HTTP2 : CodecClientType.HTTP1,
      }
      return { case: 'httpHealthCheck', value }
    }
    case 'grpc':
      return { case: 'grpcHealthCheck', value: { serviceName: probe.service, authority: host } }
    case 'tcp': {
      const { send, receive } = probe
      const value = {
        ...(send === undefined ? {} : { send: payload(send) }),
        receive: receive === undefined ? [] : [payload(receive)],
      }
      return { case: 'tcpHealthCheck', value }
    }
  }
}

const payload = (text: string): MessageInitShape<typeof HealthCheck_PayloadSchema> => ({
  payload: { case: 'text', value: Buffer.from(text).toString('hex') },
})
