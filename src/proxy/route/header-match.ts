import { compileValueMatch } from '../../base/string-match.ts'
import type { HeaderMatch, RetryPolicy } from '../config.ts'
import { joinedHeaderValue, type Headers } from '../http/headers.ts'
import type { Call, Reply } from '../http/service.ts'
import { queryOf } from './path.ts'

/** A question to a call beyond its path. */
export type CallTest = (call: Call) => boolean

/** All header and query conditions of a route; undefined when it has none, which is the usual case. */
export function compileCallTests(
  headers: readonly HeaderMatch[],
  queryParameters: readonly HeaderMatch[],
): CallTest | undefined {
  const tests = [
    ...headers.map((match) =>
      pseudo.has(match.name) ? compileValueTest(match, callValue(match.name)) : compileHeaderTest(match),
    ),
    ...queryParameters.map((match) => compileValueTest<Call>(match, ({ path }) => queryValue(path, match.name))),
  ]
  const [first] = tests
  if (tests.length < 2) return first
  return (call) => {
    for (const test of tests) if (!test(call)) return false
    return true
  }
}

/**
 * Which calls (undefined: all) and which replies (undefined: none) a retry policy means by their headers; one condition that holds is
 * enough. Undefined where it names no headers, which is the usual case.
 */
export function compileRetryTests({
  requestHeaders = [],
  replyHeaders = [],
}: Pick<RetryPolicy, 'requestHeaders' | 'replyHeaders'>):
  | {
      readonly call: CallTest | undefined
      readonly reply: ReplyTest | undefined
    }
  | undefined {
  if (requestHeaders.length === 0 && replyHeaders.length === 0) return undefined
  const calls = requestHeaders.flatMap((match) => compileCallTests([match], []) ?? [])
  const replies = replyHeaders.map(compileReplyTest)
  return {
    call: calls.length === 0 ? undefined : (call) => calls.some((test) => test(call)),
    reply: replies.length === 0 ? undefined : (reply) => replies.some((test) => test(reply)),
  }
}

/** A question to the head of a reply. */
type ReplyTest = (reply: Pick<Reply, 'status' | 'headers'>) => boolean

const compileReplyTest = (match: HeaderMatch): ReplyTest =>
  match.name === ':status' ? compileValueTest(match, ({ status }) => String(status)) : compileHeaderTest(match)

const pseudo: ReadonlySet<string> = new Set([':method', ':authority', 'host', ':path', ':scheme'])

/** The same for a header, which may come on several lines: one that matches is enough, and so is their list. Source: Envoy since 1.39. */
function compileHeaderTest(wanted: HeaderMatch): (message: { readonly headers: Headers }) => boolean {
  const { name, match, invert, missingIsEmpty } = wanted
  if (match === undefined) return compileValueTest(wanted, ({ headers }) => joinedHeaderValue(headers, name))
  const test = compileValueMatch(match)
  if (test === undefined) return () => false
  return ({ headers }) => {
    let lines = 0
    for (const field of headers) {
      if (field.name !== name) continue
      lines++
      if (test(field.value)) return !invert
    }
    if (lines > 1) return test(joinedHeaderValue(headers, name) ?? '') !== invert
    return lines === 1 ? invert : missingIsEmpty === true && test('') !== invert
  }
}

/**
 * As Envoy's HeaderMatcher: a value that is not there matches nothing, not even inverted, but for "present" inverted, which asks
 * just that, unless it counts as empty. An invalid regex never matches.
 */
function compileValueTest<T>(
  { match, invert, missingIsEmpty }: HeaderMatch,
  valueOf: (message: T) => string | undefined,
): (message: T) => boolean {
  if (match === undefined) return (message) => (valueOf(message) === undefined) === invert
  const test = compileValueMatch(match)
  if (test === undefined) return () => false
  return (message) => {
    const value = valueOf(message) ?? (missingIsEmpty === true ? '' : undefined)
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
