import type { MessageInitShape } from '@bufbuild/protobuf'
import { AdaptiveConcurrencySchema } from '../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AdaptiveConcurrency, Origin } from '../model/model.ts'
import { duration, typed } from './parts.ts'

const concurrencyFilter = 'weft.adaptive_concurrency'

/** Instances put their measurements off by up to so many percent of the interval. */
const jitterPercent = 15

/** At most one filter. */
export const renderAdaptiveConcurrency = (
  limit: AdaptiveConcurrency | undefined,
): MessageInitShape<typeof HttpFilterSchema>[] =>
  limit === undefined
    ? []
    : [
        {
          name: concurrencyFilter,
          configType: {
            case: 'typedConfig',
            value: typed(AdaptiveConcurrencySchema, {
              concurrencyControllerConfig: {
                case: 'gradientControllerConfig',
                value: {
                  sampleAggregatePercentile: { value: limit.latencyPercentile },
                  concurrencyLimitParams: {
                    maxConcurrencyLimit: limit.maxConcurrency,
                    minConcurrencyLimit: limit.minConcurrency,
                    concurrencyUpdateInterval: duration(limit.updateMs),
                  },
                  minRttCalcParams: {
                    interval: duration(limit.baselineIntervalMs),
                    requestCount: limit.baselineRequests,
                    jitter: { value: jitterPercent },
                    minConcurrency: limit.minConcurrency,
                    buffer: { value: limit.tolerancePercent },
                  },
                },
              },
            }),
          },
        },
      ]

/** Its origin, which stands on the listener, by the filter's name. */
export const namedConcurrency = (
  limit: AdaptiveConcurrency | undefined,
): readonly { readonly name: string; readonly origin: Origin }[] =>
  limit === undefined ? [] : [{ name: concurrencyFilter, origin: limit.origin }]
