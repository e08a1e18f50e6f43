import type { ResourceOf } from '../decode/resource-types.ts'
import { mergedByField, type TrafficPolicySpec } from '../decode/traffic-policy.ts'

type TrafficPolicy = ResourceOf<'TrafficPolicy'>

/** What an older policy for the same target says already. */
export interface Contest {
  readonly older: TrafficPolicy
  /** "timeouts.request", "loadBalancing": as inheritance takes them. */
  readonly settings: readonly string[]
}

/**
 * A policy beside `olders`, the oldest first, at one target: they hold together, and what two of them say the older one decides. `held` is
 * what is left of `policy`. Source: GEP-713, "Conflict resolution".
 */
export function besideOlder(
  policy: TrafficPolicy,
  olders: readonly TrafficPolicy[],
): { readonly held: TrafficPolicy; readonly contests: readonly Contest[]; readonly isEmpty: boolean } {
  const contests: Contest[] = []
  let left = settingsOf(policy)
  for (const older of olders) {
    const said = settingsOf(older)
    const settings = left.filter((one) => said.some((other) => exclude(one, other)))
    if (settings.length === 0) continue
    contests.push({ older, settings })
    left = left.filter((one) => !settings.includes(one))
  }
  const held = contests.length === 0 ? policy : { ...policy, spec: only(policy.spec, new Set(left)) }
  return { held, contests, isEmpty: left.length === 0 }
}

/** All that a policy says, as far apart as inheritance takes it. */
function settingsOf({ spec }: TrafficPolicy): readonly string[] {
  const { targets: _where, ...settings } = spec
  return Object.entries(settings).flatMap(([name, said]) =>
    isMergedByField(name) && said !== false ? Object.keys(said).map((field) => `${name}.${field}`) : [name],
  )
}

const isMergedByField = (setting: string): boolean => mergedByField.some((group) => group === setting)

/** The same, a group and one of its fields, or the two ways to bound retries. */
function exclude(one: string, other: string): boolean {
  const [a, b] = [subjectOf(one), subjectOf(other)]
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`)
}
const subjectOf = (setting: string): string => (setting === 'connectionLimits.maxRetries' ? 'retries.budget' : setting)

function only({ targets, ...settings }: TrafficPolicySpec, kept: ReadonlySet<string>): TrafficPolicySpec {
  const left = Object.entries(settings).flatMap(([name, said]): readonly (readonly [string, unknown])[] => {
    if (kept.has(name)) return [[name, said]]
    if (!isMergedByField(name) || said === false) return []
    const fields = Object.entries(said).filter(([field]) => kept.has(`${name}.${field}`))
    return fields.length === 0 ? [] : [[name, Object.fromEntries(fields)]]
  })
  // Only what was there is left; every field of a group can be missing.
  return { targets, ...Object.fromEntries(left) } as TrafficPolicySpec
}
