import { hexHash, xxHash64 } from '../../base/xx-hash.ts'
import type { RateLimit } from '../config.ts'
import { newPart, note, rateOf, type HeldQuota, type Part, type Usage } from './quota-part.ts'

interface KeyPart extends Part {
  /** As others are told: values of headers may be secrets. */
  readonly told: string
  usedMs: number
}

/** Who has not called for so long is forgotten with its share, and told of no more. */
const forgetMs = 10_000

/**
 * A share for each key. Whoever calls begins with an equal share; from the next report on it has what it is dealt. Of more keys than can be told
 * each keeps an equal share, and that there are such is told too, so that nobody is dealt what they take.
 */
export function keyedQuota(first: RateLimit, nowMs: () => number, mostKeys: number): HeldQuota {
  const parts = new Map<string, KeyPart>()
  const byTold = new Map<string, KeyPart>()
  let sinceMs = nowMs()
  let untoldUntilMs = 0

  const begin = (key: string): KeyPart | undefined => {
    if (parts.size >= mostKeys) {
      untoldUntilMs = nowMs() + forgetMs
      return undefined
    }
    const part = { ...newPart(), told: hexHash(xxHash64(key)), usedMs: 0 }
    parts.set(key, part)
    byTold.set(part.told, part)
    return part
  }
  return {
    limit: first,
    rate(key) {
      const part = parts.get(key)
      return part === undefined ? this.limit.rate : rateOf(part, this.limit, nowMs)
    },
    noted(key, allowed) {
      const part = parts.get(key) ?? begin(key)
      if (part === undefined) return
      part.usedMs = nowMs()
      note(part, allowed)
    },
    assign(told, perSecond, ttlMs) {
      const part = told === undefined ? undefined : byTold.get(told)
      if (part !== undefined) part.assigned = { perSecond, untilMs: nowMs() + ttlMs }
    },
    takeUsage() {
      const { name } = this.limit
      const elapsedMs = nowMs() - sinceMs
      sinceMs = nowMs()
      const usage: Usage[] = []
      for (const [key, part] of parts) {
        const { told, allowed, denied, usedMs } = part
        if (usedMs + forgetMs <= sinceMs) {
          parts.delete(key)
          byTold.delete(told)
          continue
        }
        usage.push({ name, key: told, allowed, denied, elapsedMs })
        part.allowed = part.denied = 0
      }
      const nothing = { name, allowed: 0, denied: 0, elapsedMs }
      return [...usage, untoldUntilMs > sinceMs ? nothing : { ...nothing, key: '' }]
    },
  }
}
