import { parseAllDocuments, stringify } from 'yaml'

/** YAML as people read it: lines up to 120 columns, nothing shared by anchors. */
export const toYaml = (value: unknown): string => stringify(value, { lineWidth: 120, aliasDuplicateObjects: false })

/** Every document of a text, empty ones left out; or the first syntax error, one line. */
export function fromYaml(text: string): { readonly documents: readonly unknown[] } | { readonly error: string } {
  const parsed = parseAllDocuments(text)
  const documents: unknown[] = []
  for (const document of 'empty' in parsed ? [] : parsed) {
    const [error] = document.errors
    if (error !== undefined) return { error: error.message.split('\n')[0] ?? '' }
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (value !== null) documents.push(value)
  }
  return { documents }
}
