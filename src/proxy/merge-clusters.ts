/** One cluster of a worker, as `describeClusters` shows it. */
interface Described {
  readonly name: string
  readonly endpoints?: readonly unknown[]
}

/** What several workers say of their clusters as one: counts and limits are added, an endpoint is ejected where any worker has ejected it. */
export function mergeClusters(workers: readonly unknown[]): unknown {
  const byName = new Map<string, Described>()
  for (const one of workers.flatMap((all) => (Array.isArray(all) ? (all as readonly Described[]) : []))) {
    const before = byName.get(one.name)
    byName.set(one.name, before === undefined ? one : (merge(before, one) as Described))
  }
  return [...byName.values()]
}

/** What is said of all workers alike stays. */
const alike: ReadonlySet<string> = new Set([
  'weight',
  'successRatePercent',
  'retryBudgetPercent',
  'retryBudgetIntervalMs',
  'revision',
  'port',
])

function merge(a: unknown, b: unknown, field = ''): unknown {
  if (typeof a === 'number' && typeof b === 'number') return alike.has(field) ? a : a + b
  if (typeof a === 'boolean' && typeof b === 'boolean') return a || b
  if (Array.isArray(a) && Array.isArray(b)) return field === 'endpoints' ? mergeEndpoints(a, b) : a
  if (!isRecord(a) || !isRecord(b)) return a ?? b
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries(
    Array.from(names, (name) => [name, name === 'origin' ? (a[name] ?? b[name]) : merge(a[name], b[name], name)]),
  )
}

/** By address. */
function mergeEndpoints(a: readonly unknown[], b: readonly unknown[]): readonly unknown[] {
  const others = new Map(b.map((one) => [isRecord(one) ? one['address'] : one, one]))
  const merged = a.map((one) => merge(one, others.get(isRecord(one) ? one['address'] : one)))
  const known = new Set(a.map((one) => (isRecord(one) ? one['address'] : one)))
  return [...merged, ...b.filter((one) => !known.has(isRecord(one) ? one['address'] : one))]
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
