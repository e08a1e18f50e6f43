import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  boolean,
  decode,
  integer,
  list,
  nearest,
  object,
  oneOf,
  optional,
  record,
  refine,
  string,
  unsupported,
  withDefault,
} from './decode.ts'
import { invalid } from './decode.ts'

interface Policy {
  readonly attempts: number
  readonly on: readonly ('5xx' | 'reset')[]
  readonly name?: string
}
const policy = object<Policy>(
  {
    attempts: withDefault(integer({ min: 1, max: 10 }), 2),
    on: list(oneOf('5xx', 'reset'), { min: 1 }),
    name: optional(string()),
  },
  { hedge: unsupported('hedging is not supported yet') },
)
const messages = (value: unknown): readonly string[] => {
  const result = decode(policy, value)
  return 'issues' in result ? result.issues.map(({ path, message }) => `${path}: ${message}`) : []
}

test('a good value comes out typed, defaults filled in, absent optional fields absent', () => {
  assert.deepEqual(decode(policy, { on: ['reset'] }), { value: { attempts: 2, on: ['reset'] } })
})

test('every problem is named at once, each with its path, what was expected and what was there', () => {
  assert.deepEqual(messages({ attempts: 'three', on: ['resett', 7], nam: 'x', hedge: {} }), [
    'nam: unknown field; did you mean "name"?',
    'hedge: hedging is not supported yet',
    'attempts: expected a whole number from 1 to 10, got "three"',
    'on[0]: expected one of "5xx", "reset", got "resett" (did you mean "reset"?)',
    'on[1]: expected one of "5xx", "reset", got 7',
  ])
})

test('a missing required field and a value of the wrong shape say so', () => {
  assert.deepEqual(messages({}), ['on: expected a list, got nothing'])
  assert.deepEqual(messages([]), [': expected an object, got a list of 0'])
  assert.deepEqual(messages({ on: [] }), ['on: expected from 1 to 1024 items, got a list of 0'])
})

test('null counts as absent, as in Kubernetes', () => {
  assert.deepEqual(decode(policy, { attempts: null, on: ['5xx'] }), { value: { attempts: 2, on: ['5xx'] } })
})

test('keys such as __proto__ and constructor are keys like any other', () => {
  const value: unknown = JSON.parse('{"__proto__": true, "constructor": false}')
  const result = decode(record(boolean), value)
  assert.ok('value' in result)
  assert.deepEqual(Object.entries(result.value), [
    ['__proto__', true],
    ['constructor', false],
  ])
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  assert.deepEqual(messages(JSON.parse('{"on": ["5xx"], "toString": 1}')), [
    'toString: unknown field; known are attempts, on, name',
  ])
})

test('refine may refuse what the form allows', () => {
  const even = refine(integer({ min: 0, max: 9 }), (value, path, issues) => {
    if (value % 2 === 0) return value
    issues.push({ path, message: 'odd' })
    return invalid
  })
  assert.deepEqual(decode(even, 4), { value: 4 })
  assert.deepEqual(decode(even, 5), { issues: [{ path: '', message: 'odd' }] })
})

test('nearest finds a typing mistake, and nothing where there is none', () => {
  assert.equal(nearest('backned', ['frontend', 'backend']), 'backend')
  assert.equal(nearest('ratings', ['reviews', 'orders']), undefined)
  assert.equal(nearest('ab', ['xy']), undefined)
})
