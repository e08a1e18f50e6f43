import type { HeaderCase } from '../../config/header-case.ts'

/** The codec's own, which no layer hands on. */
const ofConnection: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
])

/** A whole head with the names of its fields in this case; its first line stays. */
export function spellHead(head: string, how: HeaderCase | undefined): string {
  if (how === undefined) return head
  const start = head.indexOf('\r\n')
  const fields = head
    .slice(start)
    .replace(/\n([^:\r\n]+):/g, (line, name: string) =>
      how === 'words' || ofConnection.has(name) ? `\n${inWords(name)}:` : line,
    )
  return head.slice(0, start) + fields
}

/** The first letter, and each behind what is none: "foo$b#$are" → "Foo$B#$Are". Source: envoy HeaderKeyFormat.ProperCaseWords. */
const inWords = (name: string): string =>
  name
    .toLowerCase()
    .replace(/(^|[^a-z0-9])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase())
