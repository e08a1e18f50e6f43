// A limiter as others write them: a server of grpc-js that speaks Envoy's rate limit protocol and counts in memory.
import { create } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import { systemClock } from '../../../src/base/clock.ts'
import { hostedService } from '../../../src/control/serve/service.ts'
import {
  RateLimitResponseSchema,
  RateLimitResponse_Code as Code,
  RateLimitService,
  type RateLimitRequest,
  type RateLimitResponse,
} from '../../../src/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import { listenGrpc } from './listening.ts'

/** How it decides. */
export interface LimiterRules {
  /** So many of each descriptor, for ever. */
  readonly limit: number
  /** It waits so long when a value of this is among the entries, ms. */
  readonly slow?: { readonly value: string; readonly ms: number }
}

export interface Limiter {
  readonly port: number
  /** What it was asked: "domain: key=value,key=value; …". */
  readonly asked: string[]
  /** Counts anew. */
  reset(): void
  stop(): void
}

/** Listens on loopback. */
export async function startLimiter(port: number, { limit, slow }: LimiterRules): Promise<Limiter> {
  const asked: string[] = []
  const counts = new Map<string, number>()
  const decide = (text: string): RateLimitResponse['statuses'][number] => {
    const count = (counts.get(text) ?? 0) + 1
    counts.set(text, count)
    return create(RateLimitResponseSchema, {
      statuses: [
        {
          code: count > limit ? Code.OVER_LIMIT : Code.OK,
          currentLimit: { requestsPerUnit: limit, unit: 2, name: 'test' },
          limitRemaining: Math.max(0, limit - count),
          durationUntilReset: { seconds: 30n, nanos: 0 },
        },
      ],
    }).statuses[0] as RateLimitResponse['statuses'][number]
  }
  const { definition } = hostedService(RateLimitService, { shouldRateLimit: () => Promise.reject(new Error('unused')) })
  const server = new grpc.Server()
  server.addService(definition, {
    async shouldRateLimit(
      { request }: grpc.ServerUnaryCall<RateLimitRequest, RateLimitResponse>,
      answer: grpc.sendUnaryData<RateLimitResponse>,
    ) {
      const texts = request.descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`).join())
      asked.push(`${request.domain}: ${texts.join('; ')}`)
      if (slow !== undefined && texts.some((text) => text.includes(`=${slow.value}`))) await systemClock.sleep(slow.ms)
      const statuses = texts.map(decide)
      const over = statuses.some(({ code }) => code === Code.OVER_LIMIT)
      answer(
        null,
        create(RateLimitResponseSchema, {
          overallCode: over ? Code.OVER_LIMIT : Code.OK,
          statuses,
          responseHeadersToAdd: [{ key: 'X-Limiter', value: over ? 'no' : 'yes' }],
          requestHeadersToAdd: over ? [] : [{ key: 'x-passed', value: 'limiter' }],
        }),
      )
    },
  })
  const bound = await listenGrpc(server, port)
  return { port: bound, asked, reset: () => counts.clear(), stop: () => server.forceShutdown() }
}
