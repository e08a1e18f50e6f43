/** One process of the sample mesh: an ordinary program and the sidecar beside it. */
export interface InstancePlan {
  /** For people and for the checks: "reviews-1". */
  readonly id: string
  readonly service: string
  readonly version: string
  /** Called for every request. */
  readonly calls?: Readonly<Record<string, string>>
  /** Called at GET /call/NAME only. */
  readonly onDemand?: Readonly<Record<string, string>>
  /** The one that makes the load: what it visits. */
  readonly load?: { readonly url: string; readonly ratePerSecond: number }
}

/** How often the shop is visited. */
export const ratePerSecond = 20

/** A bookshop, leaves first. Names are all that its parts know of each other. */
export const bookshop: readonly InstancePlan[] = [
  { id: 'ratings-1', service: 'ratings', version: 'v1' },
  { id: 'orders-1', service: 'orders', version: 'v1' },
  { id: 'reviews-1', service: 'reviews', version: 'v1', ...reviews() },
  { id: 'reviews-2', service: 'reviews', version: 'v1', ...reviews() },
  { id: 'catalog-1', service: 'catalog', version: 'v1' },
  { id: 'catalog-2', service: 'catalog', version: 'v2' },
  {
    id: 'storefront-1',
    service: 'storefront',
    version: 'v1',
    calls: { catalog: 'http://catalog/', reviews: 'http://reviews/', orders: 'http://orders/' },
  },
]

/** Visits the shop. Started last, so that the first visitor finds it open. */
export const shopper: InstancePlan = {
  id: 'shopper-1',
  service: 'shopper',
  version: 'v1',
  onDemand: { storefront: 'http://storefront/' },
  load: { url: 'http://storefront/', ratePerSecond },
}

function reviews(): Pick<InstancePlan, 'calls' | 'onDemand'> {
  return { calls: { ratings: 'http://ratings/' }, onDemand: { orders: 'http://orders/' } }
}

/** The HTTPRoute of examples/split.yaml with other weights; throws when that file no longer has a 90 and a 10. */
export function withWeights(split: string, v1: number, v2: number): string {
  const changed = split.replace(/weight: 90\b/, `weight: ${v1}`).replace(/weight: 10\b/, `weight: ${v2}`)
  if (changed === split) throw new Error('examples/split.yaml has no weights 90 and 10')
  return changed
}
