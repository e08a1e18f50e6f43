/** Who takes part in a limit and tells how much it is asked for. */
export interface Demand {
  /** Requests a second that came, admitted or not. Undefined: it has just begun. */
  readonly perSecond: number | undefined
}

/** Of a fair share: what everybody has in any case, so that a burst finds something. */
const floorShare = 0.1
/** What is asked for grows by so much before it is too little. */
const headroom = 1.2

/**
 * Deals a budget: everybody gets what it asks for, with some headroom, as long as that is no more than its fair part of what the modest
 * ones leave (max-min fairness); what nobody asks for is dealt evenly. Nobody gets less than a tenth of an equal share. The sum is
 * `budget` unless it is empty of members. Pure. Source: Bertsekas and Gallager, "Data Networks", 6.5.2.
 */
export function dealQuota(budget: number, members: readonly Demand[]): readonly number[] {
  const count = members.length
  if (count === 0) return []
  const equal = budget / count
  const floor = equal * floorShare
  const wanted = members.map(({ perSecond }) =>
    perSecond === undefined ? equal : Math.max(floor, perSecond * headroom),
  )
  const shares = members.map(() => 0)
  let left = budget
  const modestFirst = wanted.map((_, index) => index).toSorted((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0))
  modestFirst.forEach((member, taken) => {
    const share = Math.min(wanted[member] ?? 0, left / (count - taken))
    shares[member] = share
    left -= share
  })
  return shares.map((share) => share + left / count)
}
