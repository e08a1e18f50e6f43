import type { Clock } from '../../base/clock.ts'
import type { Condition } from './condition.ts'

/** A condition as Kubernetes shows it. Source: Kubernetes API conventions, "Typical status properties". */
export interface TimedCondition extends Condition {
  /** `metadata.generation` of what was judged; absent where nobody counts: documents from files. */
  readonly observedGeneration?: number
  /** ISO 8601, whole seconds: since when it is so. */
  readonly lastTransitionTime: string
}

/** Remembers since when each condition is as it is; in memory: after a restart everything is so since then. */
export interface ConditionTimes {
  /** The status with times and generation in each of its conditions, wherever they stand. Now is when they changed, if they did. */
  stamp(resource: string, status: object, generation: number | undefined): object
  /** Forgets resources that are not among these. */
  keep(resources: ReadonlySet<string>): void
}

interface Known {
  readonly status: Condition['status']
  readonly since: string
}

/** Knows nothing yet. */
export function createConditionTimes(clock: Clock): ConditionTimes {
  const known = new Map<string, Map<string, Known>>()
  return {
    stamp(resource, status, generation) {
      let own = known.get(resource)
      if (own === undefined) known.set(resource, (own = new Map()))
      const now = `${new Date(clock.wallMs()).toISOString().slice(0, 19)}Z`
      const observed = generation === undefined ? {} : { observedGeneration: generation }
      return stampPart(status, '', (condition, path): TimedCondition => {
        const key = `${path} ${condition.type}`
        const before = own.get(key)
        const since = before?.status === condition.status ? before.since : now
        own.set(key, { status: condition.status, since })
        return { ...condition, ...observed, lastTransitionTime: since }
      })
    },
    keep(resources) {
      for (const resource of known.keys()) if (!resources.has(resource)) known.delete(resource)
    },
  }
}

/** `parents[]`, `ancestors[]` and `listeners[]` have conditions of their own. */
function stampPart(part: object, path: string, stamp: (condition: Condition, path: string) => TimedCondition): object {
  return Object.fromEntries(
    Object.entries(part).map(([field, value]: [string, unknown]) => {
      if (!Array.isArray(value)) return [field, value]
      const items = value as readonly unknown[]
      // Status is made by us: what stands in `conditions` are conditions.
      if (field === 'conditions') return [field, (items as readonly Condition[]).map((one) => stamp(one, path))]
      const nested = (item: unknown, index: number): unknown =>
        typeof item === 'object' && item !== null && 'conditions' in item
          ? stampPart(item, `${path}/${field}/${index}`, stamp)
          : item
      return [field, items.map(nested)]
    }),
  )
}
