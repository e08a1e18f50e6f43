import { compileRegex, type TextTest } from './regex.ts'

/** What a text is compared with. Source: Envoy `type.matcher.v3.StringMatcher`. */
export interface TextMatch {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex'
  readonly value: string
  readonly ignoreCase: boolean
}

/**
 * The test for `match`, to be run on text as it came over the wire: bytes as latin1. Undefined for a regex that is none; whoever
 * asks decides what an undecidable question means. A value that is not ASCII is compared by its UTF-8 bytes.
 */
export function compileStringMatch({ kind, value, ignoreCase }: TextMatch): TextTest | undefined {
  if (kind === 'regex') return compileRegex(ignoreCase ? `(?i:${value})` : value)
  const bytes = asWireText(value)
  if (!ignoreCase) return plainTest(kind, bytes)
  const test = plainTest(kind, bytes.toLowerCase())
  return (text) => test(text.toLowerCase())
}

/** Whole numbers from `start` up to, and without, `end`. Source: Envoy `type.v3.Int64Range`. */
export interface NumberRange {
  readonly kind: 'range'
  readonly start: number
  readonly end: number
}

/** The test for a text or a number; a text that is no whole number is in no range. */
export function compileValueMatch(match: TextMatch | NumberRange): TextTest | undefined {
  if (match.kind !== 'range') return compileStringMatch(match)
  const { start, end } = match
  return (text) => {
    if (!/^[+-]?\d{1,19}$/.test(text)) return false
    const value = Number(text)
    return value >= start && value < end
  }
}

function plainTest(kind: Exclude<TextMatch['kind'], 'regex'>, value: string): TextTest {
  switch (kind) {
    case 'exact':
      return (text) => text === value
    case 'prefix':
      return (text) => text.startsWith(value)
    case 'suffix':
      return (text) => text.endsWith(value)
    case 'contains':
      return (text) => text.includes(value)
  }
}

/** The opposite: bytes as latin1 as the text that they are in UTF-8. */
export function readWireText(wire: string): string {
  return /[\x80-\xff]/.test(wire) ? Buffer.from(wire, 'latin1').toString('utf8') : wire
}

/** A text of ours as it looks on the wire: its UTF-8 bytes as latin1. ASCII, which is nearly all, stays as it is. */
export function asWireText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is meant, control characters included
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}
