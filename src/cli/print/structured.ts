import type { Terminal } from '../terminal.ts'

/** The two forms in which a list is read by programs. */
export type Format = 'json' | 'yaml'

/** JSON: `{ "items": […] }`. YAML: documents apart by `---`, ready for `weft apply -f -`. */
export async function printList({ out }: Terminal, items: readonly unknown[], format: Format): Promise<void> {
  if (format === 'json') return out(`${JSON.stringify({ items }, null, 2)}\n`)
  const { toYaml } = await import('./yaml.ts')
  out(items.map((item) => toYaml(item)).join('---\n'))
}

/** One value. */
export async function printOne({ out }: Terminal, value: unknown, format: Format): Promise<void> {
  if (format === 'json') return out(`${JSON.stringify(value, null, 2)}\n`)
  const { toYaml } = await import('./yaml.ts')
  out(toYaml(value))
}
