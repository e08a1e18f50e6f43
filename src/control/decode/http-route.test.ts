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

test('filters are read one by one, names in the case they were written', () => {
  const { filters, backendRefs } = ruleOf(
    `filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: '1'}], remove: [X-B]}}
        - {type: URLRewrite, urlRewrite: {hostname: a.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: ''}}}
      backendRefs:
        - {name: web, port: 80, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x, value: y}]}}]}`,
  )
  assert.deepEqual(filters, [
    { type: 'RequestHeaderModifier', headers: { set: [{ name: 'X-A', value: '1' }], add: [], remove: ['X-B'] } },
    { type: 'URLRewrite', rewrite: { hostname: 'a.example', path: { kind: 'prefix', value: '' } } },
  ])
  assert.deepEqual(backendRefs[0]?.filters, [
    { type: 'ResponseHeaderModifier', headers: { set: [], add: [{ name: 'x', value: 'y' }], remove: [] } },
  ])
  const redirect = '{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443, statusCode: 308}}'
  assert.deepEqual(ruleOf(`filters: [${redirect}]`).filters, [
    { type: 'RequestRedirect', redirect: { scheme: 'https', port: 8443, statusCode: 308 } },
  ])
})

test('CORS: what is not said is not allowed', () => {
  const { filters } = ruleOf('filters: [{type: CORS, cors: {allowOrigins: ["https://*.a.example:8443"]}}]')
  assert.deepEqual(filters, [
    {
      type: 'CORS',
      cors: {
        allowOrigins: ['https://*.a.example:8443'],
        allowMethods: [],
        allowHeaders: [],
        exposeHeaders: [],
        allowCredentials: false,
        maxAge: 5,
      },
    },
  ])
})

test('mirrors: everything, a percentage, a fraction', () => {
  const to = (more: string): string => `{type: RequestMirror, requestMirror: {backendRef: {name: m, port: 80}${more}}}`
  const { filters } = ruleOf(
    `filters: [${to('')}, ${to(', percent: 5')}, ${to(', fraction: {numerator: 1, denominator: 8}')}]`,
  )
  const backend = { group: '', kind: 'Service', name: 'm', port: 80 }
  assert.deepEqual(
    filters?.map((one) => one.type === 'RequestMirror' && one.mirror),
    [
      { backend, share: 1 },
      { backend, share: 0.05 },
      { backend, share: 0.125 },
    ],
  )
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
  [
    'filters that are not there yet',
    'filters: [{type: ExtensionRef, extensionRef: {name: x}}]\n      backendRefs: [{name: web, port: 80, filters: [{type: CORS, cors: {}}]}]',
    [
      'filters[0].extensionRef: is not supported yet; remove it',
      'filters[0].type: ExtensionRef is not supported yet; remove it',
      'backendRefs[0].filters[0].type: CORS of one backend is not supported; known are RequestHeaderModifier, ResponseHeaderModifier, URLRewrite, RequestRedirect',
    ],
  ],
  [
    'a type and the field of another',
    'filters: [{type: URLRewrite, requestRedirect: {}}, {type: Rewrite}]',
    [
      'filters[0].requestRedirect: means nothing with type URLRewrite',
      'filters[0].urlRewrite: is needed with type URLRewrite',
      'filters[1].type: expected one of "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "RequestMirror", "CORS", got "Rewrite"',
    ],
  ],
  [
    'headers that are no business of a route',
    'filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: a}, {name: Content-Length, value: "1"}, {name: a, value: "b\\r\\nc"}], remove: [x, X]}}]',
    [
      'filters[0].requestHeaderModifier.set[0].name: Host is no header to edit; use a URLRewrite filter with hostname',
      'filters[0].requestHeaderModifier.set[1].name: Content-Length belongs to the connection and cannot be edited',
      'filters[0].requestHeaderModifier.set[2].value: expected from 1 to 4096 characters, none of them control, got "b\\r\\nc"',
      'filters[0].requestHeaderModifier.remove[1]: "X" is there twice',
    ],
  ],
  [
    'a filter twice, and a rewrite beside a redirect',
    'filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]',
    ['filters[2].type: URLRewrite is there twice', 'filters[1].type: URLRewrite means nothing beside RequestRedirect'],
  ],
  [
    'mirrors of more than all, or in two ways',
    'filters: [{type: RequestMirror, requestMirror: {backendRef: {name: m, port: 80}, fraction: {numerator: 101}}}, {type: RequestMirror, requestMirror: {backendRef: {name: m, port: 80}, percent: 1, fraction: {numerator: 1}}}]',
    [
      'filters[0].requestMirror.fraction.numerator: must not be greater than the denominator (100)',
      'filters[1].requestMirror.fraction: is there beside percent; remove one of the two',
    ],
  ],
  [
    'a mirror of what is redirected',
    'filters: [{type: RequestRedirect, requestRedirect: {}}, {type: RequestMirror, requestMirror: {backendRef: {name: m, port: 80}}}]',
    ['filters[1].type: RequestMirror means nothing beside RequestRedirect'],
  ],
  [
    'origins that are none, and all beside some',
    'filters: [{type: CORS, cors: {allowOrigins: [shop.example, "https://a.*.example", "https://a/b"], allowMethods: ["*", GET], maxAge: 0}}]',
    [
      'filters[0].cors.allowOrigins[0]: expected an origin such as "https://shop.example", "https://*.shop.example" or "*", got "shop.example"',
      'filters[0].cors.allowOrigins[1]: expected an origin such as "https://shop.example", "https://*.shop.example" or "*", got "https://a.*.example"',
      'filters[0].cors.allowOrigins[2]: expected an origin such as "https://shop.example", "https://*.shop.example" or "*", got "https://a/b"',
      'filters[0].cors.allowMethods: beside "*" nothing else means anything; remove the rest, or "*"',
      'filters[0].cors.maxAge: expected a whole number from 1 to 2147483647, got 0',
    ],
  ],
  [
    'redirects that lead nowhere',
    'filters: [{type: RequestRedirect, requestRedirect: {scheme: ftp, port: 0, statusCode: 304, path: {type: ReplaceFullPath, replaceFullPath: "/a b"}}}]',
    [
      'filters[0].requestRedirect.scheme: expected one of "http", "https", got "ftp"',
      'filters[0].requestRedirect.path.replaceFullPath: expected a path such as "/v2/items": no "//", "/./", "/../", "?", "#", blank or "%2F", got "/a b"',
      'filters[0].requestRedirect.port: expected a whole number from 1 to 65535, got 0',
      'filters[0].requestRedirect.statusCode: expected one of 301, 302, 303, 307, 308, got 304',
    ],
  ],
  [
    'a path of the other kind',
    'filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /a}}}]',
    [
      'filters[0].urlRewrite.path.replaceFullPath: is needed with type ReplaceFullPath',
      'filters[0].urlRewrite.path.replacePrefixMatch: means nothing with type ReplaceFullPath',
    ],
  ],
  [
    'a prefix where none matched, and backends of a redirect',
    'matches: [{path: {type: Exact, value: /a}}]\n      filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]\n      backendRefs: [{name: web, port: 80}]',
    [
      'filters[0].requestRedirect.path.type: ReplacePrefixMatch needs exactly one match, by PathPrefix',
      'backendRefs: a rule that redirects has no backends; remove one of the two',
    ],
  ],
]
for (const [title, rule, problems] of refused)
  test(`refused: ${title}`, () => assert.deepEqual(problemsOf(rule), problems))

test('refused: the name of a rule twice', () => {
  const decoded = decodeRoute('{name: a}\n    - {name: b}\n    - {name: a}')
  assert.ok('problems' in decoded)
  assert.deepEqual(
    decoded.problems.map(({ field, message }) => `${field}: ${message}`),
    ['spec.rules[2].name: "a" is there twice'],
  )
})
