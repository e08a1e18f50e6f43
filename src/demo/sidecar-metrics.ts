import { httpGet } from './http-get.ts'

/** One line of Prometheus text. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)/
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** Every sample of a page in Prometheus's text format; comments and what cannot be read are left out. */
export function parseMetrics(text: string): readonly Sample[] {
  return text.split('\n').flatMap((one): readonly Sample[] => {
    const [, name, labels = '', value] = line.exec(one) ?? []
    if (name === undefined || value === undefined) return []
    const pairs = [...labels.matchAll(label)].map(([, key = '', text1 = '']) => [
      key,
      text1.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)),
    ])
    return [
      {
        name,
        labels: Object.fromEntries(pairs) as Record<string, string>,
        value: value === '+Inf' ? Infinity : Number(value),
      },
    ]
  })
}

/** What a sidecar's admin says at /metrics; empty when it does not answer. */
export async function readMetrics(admin: string): Promise<readonly Sample[]> {
  const { status, text } = await httpGet(`${admin}/metrics`, { timeoutMs: 2000 })
  return status === 200 ? parseMetrics(text) : []
}

/** The sum over all samples of this name whose labels have these values. */
export function total(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

/**
 * The quantile `q` of a histogram (`NAME_bucket`), all series of `labels` taken together, interpolated within its bucket as
 * Prometheus does; NaN without an observation. Source: Prometheus, histogram_quantile.
 */
export function quantile(
  samples: readonly Sample[],
  name: string,
  q: number,
  labels: Readonly<Record<string, string>> = {},
): number {
  const byBound = new Map<number, number>()
  for (const one of samples) {
    if (one.name !== `${name}_bucket` || !Object.entries(labels).every(([key, value]) => one.labels[key] === value))
      continue
    const bound = one.labels['le'] === '+Inf' ? Infinity : Number(one.labels['le'])
    byBound.set(bound, (byBound.get(bound) ?? 0) + one.value)
  }
  const buckets = [...byBound].toSorted(([a], [b]) => a - b)
  const all = buckets.at(-1)?.[1] ?? 0
  if (all === 0) return NaN
  const wanted = q * all
  const index = buckets.findIndex(([, count]) => count >= wanted)
  const [bound = 0, count = 0] = buckets[index] ?? []
  const [lower = 0, before = 0] = buckets[index - 1] ?? []
  if (bound === Infinity) return lower
  return count === before ? bound : lower + ((bound - lower) * (wanted - before)) / (count - before)
}

/** What happened between two readings: every counter and bucket less what it was; new series as they are. */
export function since(before: readonly Sample[], now: readonly Sample[]): readonly Sample[] {
  const keyOf = ({ name, labels }: Sample): string =>
    `${name} ${JSON.stringify(
      labels,
      Object.keys(labels).toSorted((a, b) => (a < b ? -1 : 1)),
    )}`
  const earlier = new Map(before.map((one) => [keyOf(one), one.value]))
  return now.map((one) => ({ ...one, value: one.value - (earlier.get(keyOf(one)) ?? 0) }))
}
