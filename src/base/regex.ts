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

function tryCompile(pattern: string): TextTest | string {
  if (pattern.length > longestPattern) return `longer than ${longestPattern} characters`
  engine ??= createRequire(import.meta.url)('re2js') as Engine // require() knows no types
  try {
    const regex = engine.RE2JS.compile(pattern)
    return (text) => regex.testExact(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
