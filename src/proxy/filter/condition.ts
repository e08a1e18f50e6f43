import { compileStringMatch, compileValueMatch, type NumberRange } from '../../base/string-match.ts'
import type { Address } from '../../base/address.ts'
import { prefixTest } from '../../base/ip-prefix.ts'
import type { Condition, HeaderMatch, StringMatch } from '../config.ts'
import { joinedHeaderValue, type Headers } from '../http/headers.ts'
import { clientOf, type Peer } from '../http/service.ts'

/**
 * What a condition is asked about. A `Call` is one; a TCP connection is just `{ peer }`, and every question about HTTP is
 * undecidable there.
 */
export interface Subject {
  readonly peer: Peer
  readonly client?: Address | undefined
  readonly method?: string
  readonly scheme?: string
  readonly authority?: string
  readonly path?: string
  readonly headers?: Headers
}

/** `unknown`: it cannot be told; never good enough for ALLOW, always enough for DENY. */
export type Truth = 'yes' | 'no' | 'unknown'

/** A compiled condition. Pure. */
export type Question = (subject: Subject) => Truth

/**
 * Three-valued logic (Kleene): `unknown` is a field of several values of which only some match, a question about HTTP to a TCP
 * connection, a path of a CONNECT, or an invalid regex.
 */
export function compileCondition(condition: Condition): Question {
  switch (condition.kind) {
    case 'any':
      return yes
    case 'and':
      return every(condition.all.map(compileCondition))
    case 'or':
      return some(condition.any.map(compileCondition))
    case 'not':
      return negation(compileCondition(condition.not))
    case 'header':
      return compileHeader(condition.match)
    case 'path':
      return textQuestion(condition.match, pathOf)
    case 'destination-port':
      return ({ peer }) => truth(peer.local.port === condition.port)
    case 'principal':
      return compilePrincipal(condition.match)
    case 'source-ip': {
      const test = prefixTest(condition.prefix, condition.bits)
      return test === undefined ? unknown : ({ peer }) => truth(test(peer.remote.host))
    }
    case 'client-ip': {
      const test = prefixTest(condition.prefix, condition.bits)
      return test === undefined ? unknown : (subject) => truth(test(clientOf(subject).host))
    }
  }
}

const truth = (is: boolean): Truth => (is ? 'yes' : 'no')
const yes: Question = () => 'yes'
const unknown: Question = () => 'unknown'

function every(questions: readonly Question[]): Question {
  const [only] = questions
  if (only !== undefined && questions.length === 1) return only
  return (subject) => {
    let answer: Truth = 'yes'
    for (const question of questions) {
      const one = question(subject)
      if (one === 'no') return 'no'
      if (one === 'unknown') answer = 'unknown'
    }
    return answer
  }
}

function some(questions: readonly Question[]): Question {
  const [only] = questions
  if (only !== undefined && questions.length === 1) return only
  return (subject) => {
    let answer: Truth = 'no'
    for (const question of questions) {
      const one = question(subject)
      if (one === 'yes') return 'yes'
      if (one === 'unknown') answer = 'unknown'
    }
    return answer
  }
}

function negation(question: Question): Question {
  return (subject) => opposite(question(subject))
}

const opposite = (answer: Truth): Truth => (answer === 'unknown' ? 'unknown' : answer === 'yes' ? 'no' : 'yes')

/** `undefined`: the subject has no such text and never will (a TCP connection, a CONNECT's path). */
function textQuestion(match: StringMatch | NumberRange, textOf: (subject: Subject) => string | undefined): Question {
  const test = compileValueMatch(match)
  if (test === undefined) return unknown
  return (subject) => {
    const text = textOf(subject)
    return text === undefined ? 'unknown' : truth(test(text))
  }
}

/** The path without its query. */
function pathOf({ method, path }: Subject): string | undefined {
  if (path === undefined || (method === 'CONNECT' && path[0] !== '/')) return undefined
  const question = path.indexOf('?')
  return question < 0 ? path : path.slice(0, question)
}

/** Plain text has no principal: that is a "no", not an "unknown", so that DENY by `not` catches it. */
function compilePrincipal(match: StringMatch | undefined): Question {
  if (match === undefined) return ({ peer }) => truth(peer.principal !== undefined)
  const test = compileStringMatch(match)
  if (test === undefined) return unknown
  return ({ peer }) => truth(peer.principal !== undefined && test(peer.principal))
}

function compileHeader({ name, match, invert, missingIsEmpty }: HeaderMatch): Question {
  const pseudo = pseudoHeaders.get(name)
  if (pseudo !== undefined) {
    if (match === undefined) return (subject) => (pseudo(subject) === undefined ? 'unknown' : truth(!invert))
    const question = textQuestion(match, pseudo)
    return invert ? negation(question) : question
  }
  if (match === undefined)
    return ({ headers }) =>
      headers === undefined ? 'unknown' : truth(headers.some((field) => field.name === name) !== invert)
  const test = compileValueMatch(match)
  if (test === undefined) return unknown
  return ({ headers }) => {
    if (headers === undefined) return 'unknown'
    const answer = askValues(headers, name, test) ?? (missingIsEmpty === true ? truth(test('')) : undefined)
    // A field that is not there matches nothing, not even inverted. Source: Envoy HeaderMatcher.
    if (answer === undefined) return 'no'
    return invert ? opposite(answer) : answer
  }
}

const pseudoHeaders: ReadonlyMap<string, (subject: Subject) => string | undefined> = new Map([
  [':method', ({ method }) => method],
  [':authority', ({ authority }) => authority],
  ['host', ({ authority }) => authority],
  [':path', ({ path }) => path],
  [':scheme', ({ scheme }) => scheme],
])

/**
 * A field may come on several lines, and a line may be a list. "yes": every line matches, and all joined. "no": no line, no list
 * member and not the joined value. Else a program might read it either way. Undefined: the field is not there.
 */
function askValues(headers: Headers, name: string, test: (text: string) => boolean): Truth | undefined {
  let lines = 0
  let matching = 0
  let anyMember = false
  for (const field of headers) {
    if (field.name !== name) continue
    lines++
    if (test(field.value)) matching++
    else if (field.value.includes(',')) anyMember ||= field.value.split(',').some((member) => test(member.trim()))
  }
  if (lines === 0) return undefined
  if (lines === 1) return matching === 1 ? 'yes' : anyMember ? 'unknown' : 'no'
  const joined = test(joinedHeaderValue(headers, name) ?? '')
  if (joined && matching === lines) return 'yes'
  return joined || anyMember || matching > 0 ? 'unknown' : 'no'
}
