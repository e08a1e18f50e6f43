import { create } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import {
  RateLimitQuotaService,
  RateLimitQuotaUsageReportsSchema,
  type RateLimitQuotaResponse,
  type RateLimitQuotaUsageReports,
} from '../../xds/gen/envoy/service/rate_limit_quota/v3/rlqs_pb.ts'
import { grpcMethod, type GrpcCall, type GrpcConnection } from '../../xds/grpc-client.ts'
import { quotaKeyKey, quotaLimitKey } from '../../xds/names.ts'
import { durationMsOf, durationOf } from '../../xds/durations.ts'

/** What of limits was used, and what they are dealt. */
export interface SharedQuotas {
  takeUsage(): readonly {
    readonly name: string
    /** Under the limit; see `quotaKeyKey`. */
    readonly key?: string
    readonly allowed: number
    readonly denied: number
    readonly elapsedMs: number
  }[]
  assign(whose: { readonly name: string; readonly key?: string }, perSecond: number, ttlMs: number): void
}

export interface QuotaClientParts {
  readonly connect: () => GrpcConnection
  /** Who reports: `<namespace>/<workload>`. */
  readonly nodeId: string
  readonly quotas: SharedQuotas
  readonly clock: Clock
  readonly log: Log
}

/** How often is told what was used, ms. */
const reportEveryMs = 1000

const method = grpcMethod(RateLimitQuotaService.method.streamRateLimitQuotas)

/**
 * Tells the control plane once a second what was used of budgets that instances share, and takes the shares that it deals: Envoy's rate
 * limit quota protocol, `domain` being this instance. Connects only while there are such budgets; a stream that breaks is opened anew
 * with the next report, and what was dealt holds until it runs out.
 */
export function createQuotaClient({ connect, nodeId, quotas, clock, log }: QuotaClientParts): { close(): void } {
  let open: { readonly connection: GrpcConnection; readonly call: GrpcCall<RateLimitQuotaUsageReports> } | undefined
  let lost = false

  const begin = (): NonNullable<typeof open> => {
    const connection = connect()
    const call = connection.stream(method, {
      message(response) {
        if (lost) log.info('shares of rate limits are dealt again')
        lost = false
        assignAll(response, quotas)
      },
      end: ({ message }) => gone(mine, message),
    })
    const mine = { connection, call }
    void connection.closed.then((why) => gone(mine, why))
    return mine
  }
  const gone = (which: typeof open, reason: string): void => {
    if (open !== which || open === undefined) return
    open.connection.close()
    open = undefined
    if (!lost) log.warn('nobody deals shares of rate limits; the last ones hold until they run out', { reason })
    lost = true
  }
  const report = (): void => {
    const usage = quotas.takeUsage()
    if (usage.length === 0) {
      const old = open
      open = undefined
      return old?.connection.close()
    }
    open ??= begin()
    open.call.send(
      create(RateLimitQuotaUsageReportsSchema, {
        domain: nodeId,
        bucketQuotaUsages: usage.map(({ name, key, allowed, denied, elapsedMs }) => ({
          bucketId: { bucket: { [quotaLimitKey]: name, ...(key !== undefined && { [quotaKeyKey]: key }) } },
          timeElapsed: durationOf(elapsedMs),
          numRequestsAllowed: BigInt(allowed),
          numRequestsDenied: BigInt(denied),
        })),
      }),
    )
  }
  const timer: Timer = clock.every(reportEveryMs, report, { background: true })
  return {
    close() {
      timer.cancel()
      const old = open
      open = undefined
      old?.connection.close()
    },
  }
}

function assignAll({ bucketAction }: RateLimitQuotaResponse, quotas: SharedQuotas): void {
  for (const { bucketId, bucketAction: action } of bucketAction) {
    const { [quotaLimitKey]: name, [quotaKeyKey]: key } = bucketId?.bucket ?? {}
    if (name === undefined || action.case !== 'quotaAssignmentAction') continue
    const { rateLimitStrategy, assignmentTimeToLive: ttl } = action.value
    const strategy = rateLimitStrategy?.strategy
    if (strategy?.case !== 'tokenBucket' || ttl === undefined) continue
    const { tokensPerFill = 1, fillInterval } = strategy.value
    const intervalMs = fillInterval === undefined ? 0 : durationMsOf(fillInterval)
    const whose = key === undefined ? { name } : { name, key }
    if (intervalMs > 0) quotas.assign(whose, (tokensPerFill * 1000) / intervalMs, durationMsOf(ttl))
  }
}
