import type { Log } from '../base/log.ts'
import { formatProblem, type Problem } from '../base/problem.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import type { Inventory } from './inventory/inventory.ts'
import { link } from './link/link.ts'
import type { Model } from './model/model.ts'

/** The model of what the inventory holds now, and what did not fit into it. */
export interface LiveModel {
  readonly model: Watchable<Model>
  readonly problems: Watchable<readonly Problem[]>
}

/** Links anew after every change of the inventory; a problem is logged once, when it appears. */
export function liveModel(inventory: Inventory, { trustDomain, log }: { trustDomain: string; log: Log }): LiveModel {
  const first = link(inventory.current.value, { trustDomain })
  const model = settable(first.value)
  const problems = settable(first.problems)
  let told = new Set<string>()
  const tell = (found: readonly Problem[]): void => {
    const sentences = found.map(formatProblem)
    for (const sentence of sentences) if (!told.has(sentence)) log.warn(sentence)
    told = new Set(sentences)
  }
  tell(first.problems)
  inventory.current.watch((snapshot) => {
    const linked = link(snapshot, { trustDomain })
    problems.set(linked.problems)
    tell(linked.problems)
    model.set(linked.value)
  })
  return { model, problems }
}
