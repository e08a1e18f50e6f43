import { createRequire } from 'node:module'

/** Whether the whole of a text matches. */
export type TextTest = (text: string) => boolean

/** What somebody else wrote is matched in time linear in the text, and is no longer than this (characters). */
const longestPattern = 1024

type Engine = typeof import('re2js')
let engine: Engine | undefined

/**
 * A pattern in RE2 syntax that must match the whole text; undefined when it is no valid pattern or over 1,024 characters.
 * The engine is loaded by the first pattern (7 ms and 7 MB; a test then costs about 0.3 µs): a process without one never pays.
 */
export function compileRegex(pattern: string): TextTest | undefined {
  const compiled = tryCompile(pattern)
  return typeof compiled === 'string' ? undefined : compiled
}

/** Why `pattern` cannot be used, for whoever wrote it; undefined when it can. */
export function regexProblem(pattern: string): string | undefined {
  const compiled = tryCompile(pattern)
  return typeof compiled === 'string' ? compiled : undefined
}

/**
 * Replaces every match of a pattern; in `substitution` \\1 to \\9 stand for groups, \\0 for the match, and two backslashes for one (RE2).
 * A sentence when the pattern or the substitution cannot be used.
 */
export function compileReplacement(pattern: string, substitution: string): ((text: string) => string) | string {
  const regex = tryEngine(pattern)
  if (typeof regex === 'string') return regex
  const parts: (string | number)[] = []
  for (const [part] of substitution.matchAll(/\\.?|[^\\]+/gs)) {
    if (part === '\\\\') parts.push('\\')
    else if (part.startsWith('\\')) parts.push(Number(part.slice(1) || 'none'))
    else parts.push(part)
  }
  for (const part of parts) {
    if (typeof part === 'string') continue
    if (Number.isNaN(part)) return 'a backslash in the substitution must be followed by a digit or a backslash'
    if (part > regex.groupCount()) return `the substitution names group ${part}, and there is none`
  }
  const replacer = (...groups: (string | null)[]): string =>
    parts.map((part) => (typeof part === 'string' ? part : (groups[part] ?? ''))).join('')
  return (text) => regex.matcher(text).replaceAll(replacer)
}

function tryCompile(pattern: string): TextTest | string {
  const regex = tryEngine(pattern)
  return typeof regex === 'string' ? regex : (text) => regex.testExact(text)
}

function tryEngine(pattern: string): InstanceType<Engine['RE2JS']> | string {
  if (pattern.length > longestPattern) return `longer than ${longestPattern} characters`
  engine ??= createRequire(import.meta.url)('re2js') as Engine // require() knows no types
  try {
    return engine.RE2JS.compile(pattern)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
