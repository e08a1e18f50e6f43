import { dealQuota } from './deal-quota.ts'

/** A budget that instances share: requests a second, and how many instances may count under it. */
export interface SharedBudget {
  readonly perSecond: number
  readonly instances: number
  /** Of them, those that do not report and yet take nothing by themselves; absent: none. */
  readonly idle?: number
}

/** Deals shares of one budget to the instances that report, over time. Has no timers: it looks at the time when it is asked. */
export interface QuotaBook {
  /** An instance has begun to report; `id` is its own, through reconnections. */
  joined(member: object, id: string, nowMs: number): void
  /** What came since its last report, in `elapsedMs`. */
  reported(member: object, requests: number, elapsedMs: number): void
  left(member: object, nowMs: number): void
  /** It has no share any more, and takes none by itself. */
  dropped(member: object): void
  /** Everybody's share now, requests a second. */
  deal(budget: SharedBudget, nowMs: number): ReadonlyMap<object, number>
  readonly size: number
  /** Somebody who has left still has a share. */
  readonly isEmpty: boolean
}

/** An instance that hears nothing keeps its share for so long, then takes an equal one. */
export const shareTtlMs: number = 10_000

/** Of the newest report in what is known of demand: about three reports until a change is believed. */
const newest = 0.5

interface Member {
  readonly id: string
  perSecond: number | undefined
  share: number | undefined
}

/**
 * The sum of the shares is the budget, less what is set aside: an equal share for every instance that is known and does not report, since
 * that is what it takes by itself; for who has gone silent its last share if that is more, until it has run out there. At least a tenth
 * of an equal share is dealt to everybody, so that with what is set aside the sum can exceed the budget by a tenth.
 */
export function createQuotaBook(): QuotaBook {
  const members = new Map<object, Member>()
  const silent = new Map<string, { readonly share: number; readonly untilMs: number }>()

  return {
    joined(member, id) {
      const share = silent.get(id)?.share
      silent.delete(id)
      members.set(member, { id, perSecond: undefined, share })
    },
    reported(member, requests, elapsedMs) {
      const known = members.get(member)
      if (known === undefined || elapsedMs <= 0) return
      const now = (requests * 1000) / elapsedMs
      known.perSecond = known.perSecond === undefined ? now : known.perSecond * (1 - newest) + now * newest
    },
    left(member, nowMs) {
      const known = members.get(member)
      if (known === undefined) return
      members.delete(member)
      const again = [...members.values()].some(({ id }) => id === known.id)
      if (known.share !== undefined && !again) silent.set(known.id, { share: known.share, untilMs: nowMs + shareTtlMs })
    },
    dropped: (member) => void members.delete(member),
    deal({ perSecond, instances, idle = 0 }, nowMs) {
      for (const [id, { untilMs }] of silent) if (untilMs <= nowMs) silent.delete(id)
      const reporting = new Set(Array.from(members.values(), ({ id }) => id)).size
      const all = Math.max(instances, reporting + silent.size + idle, 1)
      const equal = perSecond / all
      let aside = equal * (all - reporting - silent.size - idle)
      for (const { share } of silent.values()) aside += Math.max(share, equal)
      const least = 0.1 * equal * members.size
      const shares = dealQuota(Math.max(least, perSecond - aside), [...members.values()])
      return new Map(
        Array.from(members, ([member, known], index): [object, number] => {
          known.share = shares[index] ?? equal
          return [member, known.share]
        }),
      )
    },
    get size() {
      return members.size
    },
    get isEmpty() {
      return members.size + silent.size === 0
    },
  }
}
