import { create } from '@bufbuild/protobuf'
import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import { durationMsOf, durationOf } from '../../xds/durations.ts'
import { NodeSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  RateLimitQuotaResponseSchema,
  RateLimitQuotaService,
  type RateLimitQuotaResponse,
  type RateLimitQuotaUsageReports,
} from '../../xds/gen/envoy/service/rate_limit_quota/v3/rlqs_pb.ts'
import { mostQuotaKeys, quotaKeyKey, quotaLimitKey } from '../../xds/names.ts'
import type { Model, RateLimit } from '../model/model.ts'
import { admit } from './admission.ts'
import { createKeyedBook, type KeyedBook, type KeyUsage } from './keyed-book.ts'
import { createQuotaBook, shareTtlMs, type QuotaBook } from './quota-book.ts'
import { sharedLimits } from './shared-limits.ts'
import { hostedService, refuse, type Caller, type HostedService, type Refusal } from './service.ts'

/** Deals shares of the budgets that instances of a service have together. */
export interface QuotaServer {
  readonly service: HostedService
  close(): void
}

type Call = ServerDuplexStream<RateLimitQuotaUsageReports, RateLimitQuotaResponse>

/** One instance's stream. */
interface Member {
  readonly id: string
  readonly call: Call
  readonly limits: Set<string>
}

/** How often shares are dealt anew, ms. */
const dealEveryMs = 1000
/** Limits that one instance may take part in. */
const mostLimits = 1000

/**
 * Serves Envoy's rate limit quota protocol to the sidecars: who reports (`domain`, proven by the certificate) takes part in the limits
 * that its own configuration holds, and in no others. Whoever joins is dealt a share at once, everybody once a second.
 */
export function createQuotaServer(parts: {
  readonly model: Watchable<Model>
  readonly clock: Clock
  readonly log: Log
}): QuotaServer {
  const { model, clock, log } = parts
  const books = new Map<string, QuotaBook>()
  const keyedBooks = new Map<string, KeyedBook>()
  const members = new Set<Member>()
  let timer: Timer | undefined

  const dealAll = (): void => {
    const shared = sharedLimits(model.value)
    const actions = new Map<Member, Share[]>()
    for (const [name, book] of books) {
      const limit = shared.get(name)?.limit
      if (limit === undefined) continue
      for (const [member, perSecond] of book.deal(budgetOf(limit), clock.nowMs())) {
        const one = member as Member
        actions.set(one, [...(actions.get(one) ?? []), { name, perSecond }])
      }
    }
    for (const [name, book] of keyedBooks) {
      const limit = shared.get(name)?.limit
      if (limit === undefined || limit.per === undefined) continue
      for (const [member, byKey] of book.deal(budgetOf(limit), clock.nowMs())) {
        const one = member as Member
        const shares = Array.from(byKey, ([key, perSecond]) => ({ name, key, perSecond }))
        actions.set(one, [...(actions.get(one) ?? []), ...shares])
      }
    }
    for (const [{ call }, shares] of actions) if (call.writable) call.write(responseOf(shares))
    for (const [name, book] of books) if (book.size === 0 && !shared.has(name)) books.delete(name)
    for (const [name, book] of keyedBooks) if (book.isEmpty && !shared.has(name)) keyedBooks.delete(name)
    if (members.size > 0) return
    timer?.cancel()
    timer = undefined
  }

  function take(member: Member, { bucketQuotaUsages }: RateLimitQuotaUsageReports): void {
    const shared = sharedLimits(model.value)
    let joined = false
    const keyed = new Map<string, { readonly usages: KeyUsage[]; whole: boolean }>()
    for (const { bucketId, timeElapsed, numRequestsAllowed, numRequestsDenied } of bucketQuotaUsages) {
      const name = bucketId?.bucket[quotaLimitKey]
      const held = name === undefined ? undefined : shared.get(name)
      if (name === undefined || held?.holders.has(member.id) !== true) continue
      const requests = Number(numRequestsAllowed + numRequestsDenied)
      if (held.limit.per !== undefined) {
        let report = keyed.get(name)
        if (report === undefined) keyed.set(name, (report = { usages: [], whole: false }))
        const key = bucketId?.bucket[quotaKeyKey]
        if (key === '') report.whole = true
        else if (key !== undefined && timeElapsed !== undefined)
          report.usages.push({ key, requests, elapsedMs: durationMsOf(timeElapsed) })
        continue
      }
      let book = books.get(name)
      if (book === undefined) books.set(name, (book = createQuotaBook()))
      if (!member.limits.has(name)) {
        if (member.limits.size >= mostLimits) continue
        member.limits.add(name)
        book.joined(member, member.id, clock.nowMs())
        joined = true
      } else if (timeElapsed !== undefined) book.reported(member, requests, durationMsOf(timeElapsed))
    }
    for (const [name, { usages, whole }] of keyed) {
      let book = keyedBooks.get(name)
      if (book === undefined) keyedBooks.set(name, (book = createKeyedBook()))
      if (!member.limits.has(name)) {
        if (member.limits.size >= mostLimits) continue
        member.limits.add(name)
      }
      const few = usages.length <= mostQuotaKeys
      book.reported(
        member,
        { id: member.id, usages: usages.slice(0, mostQuotaKeys), whole: whole && few },
        clock.nowMs(),
      )
    }
    if (joined) dealAll()
  }

  function leave(member: Member): void {
    if (!members.delete(member)) return
    for (const name of member.limits) for (const all of [books, keyedBooks]) all.get(name)?.left(member, clock.nowMs())
  }

  function serve(call: Call, caller: Caller): void {
    let member: Member | undefined
    let ended = false
    const leaving = new AbortController()
    const end = (): void => {
      ended = true
      leaving.abort()
      if (member !== undefined) leave(member)
    }
    const fail = (refusal: Refusal): void => {
      log.info('quota stream refused', { reason: refusal.details, caller: caller.spiffeId })
      refuse(call, refusal)
      end()
    }
    let asked = false
    call.on('data', (report: RateLimitQuotaUsageReports) => {
      if (ended) return
      if (member !== undefined) return take(member, report)
      if (asked) return
      asked = true
      const node = create(NodeSchema, { id: report.domain })
      void admit(node, caller, { model, clock, signal: leaving.signal }).then((verdict) => {
        if (ended) return
        if ('code' in verdict) return fail(verdict)
        member = { id: verdict.id, call, limits: new Set() }
        members.add(member)
        timer ??= clock.every(dealEveryMs, dealAll, { background: true })
        take(member, report)
      })
    })
    call.on('cancelled', end)
    call.on('error', end)
    call.on('end', () => {
      end()
      call.end()
    })
  }

  return {
    service: hostedService(RateLimitQuotaService, { streamRateLimitQuotas: serve }),
    close() {
      timer?.cancel()
      for (const member of members) {
        refuse(member.call, { code: status.UNAVAILABLE, details: 'the control plane is stopping' })
        leave(member)
      }
    },
  }
}

interface Share {
  readonly name: string
  /** Absent: of the limit that tells nobody apart. */
  readonly key?: string
  readonly perSecond: number
}

const budgetOf = ({ requests, unitMs, instances = 1 }: RateLimit): Parameters<QuotaBook['deal']>[0] => ({
  perSecond: (requests * 1000) / unitMs,
  instances,
})

/** As a bucket of whole tokens that is filled as often as makes the rate. */
function responseOf(shares: readonly Share[]): RateLimitQuotaResponse {
  return create(RateLimitQuotaResponseSchema, {
    bucketAction: shares.map(({ name, key, perSecond }) => {
      const tokensPerFill = Math.max(1, Math.round(perSecond))
      const tokenBucket = {
        maxTokens: tokensPerFill,
        tokensPerFill,
        fillInterval: durationOf((tokensPerFill * 1000) / perSecond),
      }
      return {
        bucketId: { bucket: { [quotaLimitKey]: name, ...(key !== undefined && { [quotaKeyKey]: key }) } },
        bucketAction: {
          case: 'quotaAssignmentAction' as const,
          value: {
            assignmentTimeToLive: durationOf(shareTtlMs),
            rateLimitStrategy: { strategy: { case: 'tokenBucket' as const, value: tokenBucket } },
          },
        },
      }
    }),
  })
}
