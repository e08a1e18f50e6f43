import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Faults } from '../model/model.ts'
import { duration, fraction, typed } from './parts.ts'
import { headerMatch } from './value-match.ts'

/** Name of Envoy's filter, by which a route finds its own configuration for it. */
export const faultFilter = 'envoy.filters.http.fault'

/** Does what routes say of faults, and nothing by itself. */
export const faultsByRoute: MessageInitShape<typeof HttpFilterSchema> = {
  name: faultFilter,
  configType: { case: 'typedConfig', value: typed(HTTPFaultSchema, {}) },
}

/** As `typed_per_filter_config` of a route. */
export const renderFaults = ({ delay, abort, bandwidth, headers }: Faults): Any =>
  typed(HTTPFaultSchema, {
    ...(delay && {
      delay: {
        faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.ms) },
        percentage: fraction(delay.share),
      },
    }),
    ...(abort && {
      abort: {
        errorType: { case: abort.grpc ? 'grpcStatus' : 'httpStatus', value: abort.status },
        percentage: fraction(abort.share),
      },
    }),
    ...(bandwidth && {
      responseRateLimit: {
        limitType: { case: 'fixedLimit', value: { limitKbps: BigInt(bandwidth.kibPerSecond) } },
        percentage: fraction(bandwidth.share),
      },
    }),
    headers: headers.map(headerMatch),
  })
