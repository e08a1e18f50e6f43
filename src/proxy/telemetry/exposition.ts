import type { AnyFamily, HistogramSeries } from './series.ts'

/** The lines of one family; none while it has no series. Source: Prometheus text exposition format 0.0.4. */
export function expositionLines(family: AnyFamily): string[] {
  if (family.series.size === 0) return []
  const { name, help, labels } = family
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${family.kind}`]
  if (family.kind === 'histogram')
    for (const series of family.series.values()) lines.push(...histogramLines(name, labels, family.bounds, series))
  else
    for (const { values, value } of family.series.values()) lines.push(`${name}${labelText(labels, values)} ${value}`)
  return lines
}

function histogramLines(
  name: string,
  labels: readonly string[],
  bounds: readonly number[],
  { values, counts, sum }: HistogramSeries,
): string[] {
  let below = 0
  const lines: string[] = []
  for (const [index, count] of counts.entries()) {
    below += count
    const bound = bounds[index]
    lines.push(
      `${name}_bucket${labelText([...labels, 'le'], [...values, bound === undefined ? '+Inf' : String(bound)])} ${below}`,
    )
  }
  return [
    ...lines,
    `${name}_sum${labelText(labels, values)} ${sum}`,
    `${name}_count${labelText(labels, values)} ${below}`,
  ]
}

/** An empty value is the same as no label. */
function labelText(labels: readonly string[], values: readonly string[]): string {
  const pairs = labels.flatMap((label, index) => {
    const value = values[index] ?? ''
    return value === '' ? [] : [`${label}="${escapeValue(value)}"`]
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escapeValue = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
