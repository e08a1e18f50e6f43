import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document as YamlDocument,
  type Node,
  type Pair,
} from 'yaml'
import type { Place, Problem } from '../../base/problem.ts'

/** One resource as it was written, and where each of its fields stands. */
export interface SourcedDocument {
  readonly value: unknown
  /** File and line of a field ("spec.rules[0].matches"), of its nearest parent when it is not there; without a field, of the document. */
  readonly place: (fieldPath?: string) => Place
}

/** More than this is no configuration of ours: about 20,000 resources. */
const limitBytes = 4 * 1024 * 1024
/** Brackets within brackets: what people write stays below 20, and parsers recurse. */
const limitDepth = 100
const shownProblems = 10

/**
 * YAML or JSON text → its documents; `List` kinds are opened up, empty documents left out. Never throws and never takes long: what is
 * too large, too deep or expands without measure is one problem. A document with a syntax error is left out and told.
 */
export function parseDocuments(
  text: string,
  file: string,
): { documents: readonly SourcedDocument[]; problems: readonly Problem[] } {
  const problem = (message: string, line?: number): Problem => ({
    severity: 'error',
    resource: 'document',
    field: '',
    message,
    place: line === undefined ? { file } : { file, line },
  })
  const refused = refuseUnread(text)
  if (refused !== undefined) return { documents: [], problems: [problem(refused)] }
  const lines = new LineCounter()
  const documents: SourcedDocument[] = []
  const problems: Problem[] = []
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
    for (const document of 'empty' in parsed ? [] : parsed) {
      const wrong = [...document.errors, ...document.warnings]
      for (const one of wrong) problems.push(problem(plain(one.message), lines.linePos(one.pos[0]).line))
      if (wrong.length > 0 || document.contents === null) continue
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      if (value === null) continue
      documents.push(...opened(value, placesOf(document, lines, file)))
    }
  } catch (error) {
    // ReferenceError: too many aliases; RangeError: the parser's stack. Nothing of such a text is believed.
    return { documents: [], problems: [problem(plain(error instanceof Error ? error.message : String(error)))] }
  }
  if (problems.length <= shownProblems) return { documents, problems }
  const more = problem(`and ${problems.length - shownProblems} more like these; is this YAML or JSON?`)
  return { documents, problems: [...problems.slice(0, shownProblems), more] }
}

function refuseUnread(text: string): string | undefined {
  if (text.length > limitBytes) {
    const size = (text.length / 1024 / 1024).toFixed(1)
    return `is ${size} MiB long; at most ${limitBytes / 1024 / 1024} MiB are read: split it, if it holds resources at all`
  }
  // NUL and most control characters appear in no text: say so instead of many syntax errors.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\0-\x08\x0e-\x1f\ufffd]/.test(text)) return 'is no text: expected YAML or JSON in UTF-8'
  return tooDeep(text) ? `is nested more than ${limitDepth} deep` : undefined
}

/** Brackets that are never closed, or `- - - -`: cheap to see, dear to parse. */
function tooDeep(text: string): boolean {
  let depth = 0
  let dashes = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1)
    if (code === 0x2d || code === 0x3f || code === 0x3a) dashes++
    else if (code !== 0x20) dashes = 0
    if (depth > limitDepth || (dashes > 4 * limitDepth && text.slice(index - 9, index + 1).includes('- - - ')))
      return true
  }
  return false
}

/** The parser's own sentence, on one line, without its examples. */
const plain = (message: string): string => (message.split('\n')[0] ?? '').replace(/:$/, '').slice(0, 200)

type Places = (fieldPath?: string) => Place

/** A `List` (what `get -o yaml` prints) is its items. */
function opened(value: unknown, place: Places): readonly SourcedDocument[] {
  const { kind, items } = Object(value) as { kind?: unknown; items?: unknown }
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [{ value, place }]
  return items.flatMap((item: unknown, index) =>
    opened(item, (field) =>
      place(field === undefined || field === '' ? `items[${index}]` : `items[${index}].${field}`),
    ),
  )
}

function placesOf(document: YamlDocument.Parsed, lines: LineCounter, file: string): Places {
  return (fieldPath = '') => {
    const offset = offsetOf(document.contents as Node | null, fieldPath, document.contents?.range?.[0] ?? 0)
    return { file, line: lines.linePos(offset).line }
  }
}

/** Walks as far down `path` as the document goes. A key may hold dots (labels do): the longest that fits is taken. */
function offsetOf(node: Node | null | undefined, path: string, fallback: number): number {
  if (path === '') return fallback
  const [, index, afterIndex = ''] = /^\[(\d+)\]\.?(.*)$/s.exec(path) ?? []
  if (isSeq(node) && index !== undefined) {
    const item = node.items[Number(index)] as Node | undefined
    return offsetOf(item, afterIndex, item?.range?.[0] ?? fallback)
  }
  if (!isMap(node)) return fallback
  let best: Pair | undefined
  let bestKey = ''
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : ''
    const next = path.charAt(key.length)
    const fits = key !== '' && path.startsWith(key) && (next === '' || next === '.' || next === '[')
    if (fits && key.length > bestKey.length) [best, bestKey] = [pair, key]
  }
  if (best === undefined) return fallback
  const at = (best.key as Node).range?.[0] ?? fallback
  return offsetOf(best.value as Node | null, path.slice(bestKey.length).replace(/^\./, ''), at)
}
