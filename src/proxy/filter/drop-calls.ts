import type { Random } from '../../base/random.ts'
import type { Cluster } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { Layer } from '../http/service.ts'

/** Refuses the share of calls that the control plane wants refused, before anything is sent; each category draws for itself. Undefined: none. Source: gRFC A32, "drop_overloads". */
export function dropCalls({ name, drops }: Pick<Cluster, 'name' | 'drops'>, random: Random): Layer | undefined {
  if (drops === undefined) return undefined
  const categories = drops.map(({ category, share }) => {
    const fault: Fault = { kind: 'dropped', side: 'self', retry: 'never', cluster: name, category, share }
    return { share, fault }
  })
  return (next) => (call) => {
    for (const { share, fault } of categories) if (random.below(1) < share) return Promise.resolve(fault)
    return next(call)
  }
}
