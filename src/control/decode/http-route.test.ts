import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { parseDocuments } from '../collect/yaml.ts'
import { decodeDocument } from './decode.ts'
import type { HttpRouteRule } from './http-route.ts'

const decodeRoute = (rule: string) => {
  const text =
    `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\nspec:\n` +
    `  parentRefs: [{group: '', kind: Service, name: web}]\n  rules:\n    - ${rule}`
  const [document] = parseDocuments(text, 'a.yaml').documents
  assert.ok(document)
  return decodeDocument(document.value, { index: 1, placeOf: document.place })
}

/** The first rule of a route that has nothing wrong. */
function ruleOf(rule: string): HttpRouteRule {
  const decoded = decodeRoute(rule)
  assert.ok('resource' in decoded, 'problems' in decoded ? decoded.problems.map(formatProblem).join('\n') : '')
  assert.ok(decoded.resource.kind === 'HTTPRoute')
  const [first] = decoded.resource.spec.rules
  assert.ok(first)
  return first
}

/** What is wrong with it, from the field on. */
function problemsOf(rule: string): readonly string[] {
  const decoded = decodeRoute(rule)
  assert.ok('problems' in decoded, 'it is taken')
  return decoded.problems.map(({ field, message }) => `${field.replace('spec.rules[0].', '')}: ${message}`)
}

test('timeouts and retry are read in milliseconds', () => {
  const { timeouts, retry } = ruleOf(
    'timeouts: {request: 1m30s, backendRequest: 500ms}\n      retry: {codes: [503, 500, 503], attempts: 3, backoff: 100ms}',
  )
  assert.deepEqual(timeouts, { requestMs: 90_000, backendRequestMs: 500 })
  assert.deepEqual(retry, { codes: [500, 503], attempts: 3, backoffMs: 100 })
  assert.deepEqual(ruleOf('timeouts: {request: 0s, backendRequest: 2s}').timeouts, {
    requestMs: 0,
    backendRequestMs: 2000,
  })
  assert.deepEqual(ruleOf('retry: {}').retry, { codes: [] })
})

const refused: readonly (readonly [title: string, rule: string, problems: readonly string[]])[] = [
  [
    'timeouts that are none',
    'timeouts: {request: 5, backendRequest: 1.5s}',
    [
      'timeouts.request: expected a duration such as "250ms", "2s" or "1h30m", got 5 (add a unit)',
      'timeouts.backendRequest: expected a duration such as "250ms", "2s" or "1h30m", got "1.5s"',
    ],
  ],
  [
    'one request that may take longer than the whole',
    'timeouts: {request: 1s, backendRequest: 2s}',
    ['timeouts.backendRequest: must not be longer than request (1s)'],
  ],
  [
    'retries of what is no failure',
    'retry: {codes: [200, 503], attempts: -1}',
    [
      'retry.codes[0]: expected a whole number from 400 to 599, got 200',
      'retry.attempts: expected a whole number from 0 to 100, got -1',
    ],
  ],
]
for (const [title, rule, problems] of refused)
  test(`refused: ${title}`, () => assert.deepEqual(problemsOf(rule), problems))
