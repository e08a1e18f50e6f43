import { createQuotaBook, type QuotaBook, type SharedBudget } from './quota-book.ts'

/** What came of one key since an instance's last report. */
export interface KeyUsage {
  readonly key: string
  readonly requests: number
  readonly elapsedMs: number
}

/** Deals shares of budgets that every key of a limit has of its own. Has no timers. */
export interface KeyedBook {
  /** One report: all keys that the instance was asked by of late; `whole`: there are no others. */
  reported(
    member: object,
    report: { readonly id: string; readonly usages: readonly KeyUsage[]; readonly whole: boolean },
    nowMs: number,
  ): void
  left(member: object, nowMs: number): void
  /** Everybody's shares now, requests a second by key. */
  deal(budget: SharedBudget, nowMs: number): ReadonlyMap<object, ReadonlyMap<string, number>>
  readonly isEmpty: boolean
}

interface Reporter {
  readonly id: string
  readonly keys: ReadonlySet<string>
  readonly whole: boolean
}

/**
 * A budget a key. An instance that reports, all its keys, and this one not, takes nothing of it; one that does not report, or not all, may take an equal share by
 * itself, which is set aside. Where a key is used for the first time it has an equal share until the next report, which comes on top for so long.
 */
export function createKeyedBook(): KeyedBook {
  const books = new Map<string, QuotaBook>()
  const reporters = new Map<object, Reporter>()

  const bookOf = (key: string): QuotaBook => {
    let book = books.get(key)
    if (book === undefined) books.set(key, (book = createQuotaBook()))
    return book
  }
  return {
    reported(member, { id, usages, whole }, nowMs) {
      const before = reporters.get(member)?.keys
      const keys = new Set(usages.map(({ key }) => key))
      for (const { key, requests, elapsedMs } of usages) {
        const book = bookOf(key)
        if (before?.has(key) !== true) book.joined(member, id, nowMs)
        book.reported(member, requests, elapsedMs)
      }
      for (const key of before ?? []) if (!keys.has(key)) books.get(key)?.dropped(member)
      reporters.set(member, { id, keys, whole })
    },
    left(member, nowMs) {
      for (const key of reporters.get(member)?.keys ?? []) books.get(key)?.left(member, nowMs)
      reporters.delete(member)
    },
    deal({ perSecond, instances }, nowMs) {
      // Several processes may be one instance: it tells all if each of them does.
      const partial = new Set(Array.from(reporters.values(), ({ id, whole }) => (whole ? '' : id)))
      const known = new Set<string>()
      const using = new Map<string, Set<string>>()
      for (const { id, keys } of reporters.values()) {
        if (partial.has(id)) continue
        known.add(id)
        for (const key of keys) {
          const ids = using.get(key)
          if (ids === undefined) using.set(key, new Set([id]))
          else ids.add(id)
        }
      }
      const shares = new Map<object, Map<string, number>>()
      for (const [key, book] of books) {
        const idle = known.size - (using.get(key)?.size ?? 0)
        const dealt = book.deal({ perSecond, instances, idle }, nowMs)
        if (book.isEmpty) books.delete(key)
        for (const [member, share] of dealt) {
          const own = shares.get(member)
          if (own === undefined) shares.set(member, new Map([[key, share]]))
          else own.set(key, share)
        }
      }
      return shares
    },
    get isEmpty() {
      return books.size + reporters.size === 0
    },
  }
}
