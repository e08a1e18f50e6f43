import type { FaultsSpec } from '../decode/traffic-faults.ts'
import type { Faults } from '../model/model.ts'
import { linkValue } from './link-values.ts'

/** Percents become shares, and of the two kinds of statuses one number is left. */
export const linkFaults = ({ delay, abort, bandwidth, headers }: FaultsSpec): Faults => ({
  ...(delay && { delay: { ms: delay.duration, share: delay.percent / 100 } }),
  ...(abort && {
    abort: {
      status: abort.httpStatus ?? abort.grpcStatus,
      grpc: abort.grpcStatus !== undefined,
      share: abort.percent / 100,
    },
  }),
  ...(bandwidth && { bandwidth: { kibPerSecond: bandwidth.rate, share: bandwidth.percent / 100 } }),
  headers: headers.map(linkValue),
})
