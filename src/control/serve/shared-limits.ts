import { heldLimits } from '../model/held-limits.ts'
import type { Model, RateLimit } from '../model/model.ts'

/** A limit whose budget instances share, and who they are: `<namespace>/<workload>`. */
export interface SharedLimit {
  readonly limit: RateLimit
  readonly holders: ReadonlySet<string>
}

const found = new WeakMap<Model, ReadonlyMap<string, SharedLimit>>()

/** By name; looked for once in each model. */
export function sharedLimits(model: Model): ReadonlyMap<string, SharedLimit> {
  let limits = found.get(model)
  if (limits === undefined) found.set(model, (limits = findShared(model)))
  return limits
}

function findShared(model: Model): ReadonlyMap<string, SharedLimit> {
  const limits = new Map<string, { readonly limit: RateLimit; readonly holders: Set<string> }>()
  for (const [id, workload] of model.workloads)
    for (const limit of heldLimits(workload, model.gateways)) {
      if (limit.instances === undefined) continue
      const known = limits.get(limit.name)
      if (known === undefined) limits.set(limit.name, { limit, holders: new Set([id]) })
      else known.holders.add(id)
    }
  return limits
}
