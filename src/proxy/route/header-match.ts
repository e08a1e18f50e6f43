import { compileStringMatch } from '../../base/string-match.ts'
import type { HeaderMatch } from '../config.ts'
import { joinedHeaderValue } from '../http/headers.ts'
import type { Call } from '../http/service.ts'
import { queryOf } from './path.ts'

/** A question to a call beyond its path. */
export type CallTest = (call: Call) => boolean

/** All header and query conditions of a route; undefined when it has none, which is the usual case. */
export function compileCallTests(
  headers: readonly HeaderMatch[],
  queryParameters: readonly HeaderMatch[],
): CallTest | undefined {
  const tests = [
    ...headers.map((match) => compileValueTest(match, callValue(match.name))),
    ...queryParameters.map((match) => compileValueTest(match, (call) => queryValue(call.path, match.name))),
  ]
  const [first] = tests
  if (tests.length < 2) return first
  return (call) => {
    for (const test of tests) if (!test(call)) return false
    return true
  }
}

/**
 * As Envoy's HeaderMatcher: a value that is not there matches nothing, not even inverted, but for "present" inverted, which asks
 * just that. An invalid regex never matches.
 */
function compileValueTest({ match, invert }: HeaderMatch, valueOf: (call: Call) => string | undefined): CallTest {
  if (match === undefined) return (call) => (valueOf(call) === undefined) === invert
  const test = compileStringMatch(match)
  if (test === undefined) return () => false
  return (call) => {
    const value = valueOf(call)
    return value !== undefined && test(value) !== invert
  }
}

/** How a header or pseudo-header of that name (lower case) is read; several values joined. */
export function callValue(name: string): (call: Call) => string | undefined {
  switch (name) {
    case ':method':
      return (call) => call.method
    case ':authority':
    case 'host':
      return (call) => call.authority
    case ':path':
      return (call) => call.path
    case ':scheme':
      return (call) => call.scheme
    default:
      return (call) => joinedHeaderValue(call.headers, name)
  }
}

/** The first parameter of that name, its escapes as they came (as in Envoy); "" when it has no value. */
export function queryValue(target: string, name: string): string | undefined {
  const query = queryOf(target)
  for (let at = 0; at < query.length;) {
    const ampersand = query.indexOf('&', at)
    const end = ampersand < 0 ? query.length : ampersand
    if (query.startsWith(name, at)) {
      const after = at + name.length
      if (after === end) return ''
      if (after < end && query[after] === '=') return query.slice(after + 1, end)
    }
    at = end + 1
  }
  return undefined
}
