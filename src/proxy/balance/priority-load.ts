/** What a priority level has; endpoints, or the sums of their weights. */
export interface Level {
  readonly total: number
  readonly healthy: number
  readonly degraded: number
  /** Endpoints of any health, as a number: what panic is told by. */
  /** In the place of the rules' own; absent: as they say. */
  readonly overprovisioningPercent?: number
  readonly endpoints: { readonly total: number; readonly usable: number; readonly notDraining: number }
}

/** Of 100 calls, so many go to the healthy and so many to the degraded ones of a level. */
export interface LevelLoad {
  healthy: number
  degraded: number
  /** Too few are left: all of the level that are not draining take part, healthy or not. */
  panic: boolean
}

/** How levels share. */
export interface PriorityRules {
  /** A level whose usable share times this is at least 100 % takes all it is given. Source: overprovisioning_factor. */
  readonly overprovisioningPercent: number
  /** Below this share of usable ones health is ignored, percent; 0: never. */
  readonly panicPercent: number
}

/**
 * How calls are spread over priority levels, most urgent first: each takes what its health allows, the next the rest; degraded ones
 * what no healthy one can take. All zero when nobody may be asked. Pure. Source: Envoy, "Priority levels" and "Degraded endpoints"
 * of its load balancing documentation.
 */
export function priorityLoads(levels: readonly Level[], rules: PriorityRules): readonly LevelLoad[] {
  const healthy = levels.map((level) => availability(level, level.healthy, rules))
  const degraded = levels.map((level) => availability(level, level.degraded, rules))
  const available = Math.min(100, sum(healthy) + sum(degraded))
  const loads = levels.map((level): LevelLoad => ({
    healthy: 0,
    degraded: 0,
    panic: available < 100 && isInPanic(level, rules),
  }))
  if (levels.length > 0 && loads.every(({ panic }) => panic)) return inTotalPanic(levels, loads)
  if (available === 0) return loads
  let left = 100
  for (const [index, load] of loads.entries())
    left -= load.healthy = Math.min(left, Math.floor(((healthy[index] ?? 0) * 100) / available))
  for (const [index, load] of loads.entries())
    left -= load.degraded = Math.min(left, Math.floor(((degraded[index] ?? 0) * 100) / available))
  // What rounding has left over.
  const firstHealthy = loads[healthy.findIndex((share) => share > 0)]
  const firstDegraded = loads[degraded.findIndex((share) => share > 0)]
  if (firstHealthy !== undefined) firstHealthy.healthy += left
  else if (firstDegraded !== undefined) firstDegraded.degraded += left
  return loads
}

const availability = ({ total, overprovisioningPercent }: Level, usable: number, rules: PriorityRules): number =>
  total === 0
    ? 0
    : Math.min(100, Math.floor(((overprovisioningPercent ?? rules.overprovisioningPercent) * usable) / total))

const isInPanic = ({ endpoints }: Level, { panicPercent }: PriorityRules): boolean =>
  (endpoints.total === 0 ? 0 : (100 * endpoints.usable) / endpoints.total) < panicPercent

/** By size: what is known about health is worth nothing. */
function inTotalPanic(levels: readonly Level[], loads: readonly LevelLoad[]): readonly LevelLoad[] {
  const total = sum(levels.map(({ endpoints }) => endpoints.notDraining))
  if (total === 0) return loads
  let left = 100
  for (const [index, load] of loads.entries())
    left -= load.healthy = Math.floor((100 * (levels[index]?.endpoints.notDraining ?? 0)) / total)
  const first = loads[levels.findIndex(({ endpoints }) => endpoints.notDraining > 0)]
  if (first !== undefined) first.healthy += left
  return loads
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0)
