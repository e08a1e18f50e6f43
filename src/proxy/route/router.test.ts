import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded, type Random } from '../../base/random.ts'
import type { HeaderMatch, PathMatch, Route, RouteTable, VirtualHost } from '../config.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { queryValue } from './header-match.ts'
import { compileRoutes } from './router.ts'

type Kind = PathMatch['kind']
const path = (kind: Kind, value: string, caseSensitive = true): PathMatch => ({ kind, value, caseSensitive })
const route = (
  name: string,
  match: PathMatch,
  headers: HeaderMatch[] = [],
  queryParameters: HeaderMatch[] = [],
): Route => ({
  name,
  match: { path: match, headers, queryParameters },
  action: { kind: 'direct', status: 200, body: '' },
  origin: undefined,
})
const exact = (name: string, value: string, invert = false): HeaderMatch => ({
  name,
  match: { kind: 'exact', value, ignoreCase: false },
  invert,
})
const table = (virtualHosts: VirtualHost[], ignorePortInHost = false): RouteTable => ({
  name: 't',
  virtualHosts,
  ignorePortInHost,
  origin: undefined,
})
const oneHost = (...routes: Route[]): RouteTable => table([{ name: 'all', domains: ['*'], routes }])
const find = (from: RouteTable, call: Parameters<typeof makeCall>[0] = {}) =>
  compileRoutes(from, seeded(1))(makeCall(call))?.name

test('virtual hosts: exact, longest suffix, longest prefix, any', () => {
  const host = (name: string, ...domains: string[]): VirtualHost => ({
    name,
    domains,
    routes: [route(name, path('prefix', '/'))],
  })
  const hosts = table([
    host('any', '*'),
    host('suffix', '*.shop.test'),
    host('longer', '*.eu.shop.test'),
    host('prefix', 'api.*'),
    host('exact', 'api.shop.test', 'second.test'),
  ])
  const at = (authority: string) => find(hosts, { authority })
  assert.equal(at('api.shop.test'), 'exact')
  assert.equal(at('second.test'), 'exact')
  assert.equal(at('x.shop.test'), 'suffix')
  assert.equal(at('x.eu.shop.test'), 'longer')
  assert.equal(at('.shop.test'), 'any', 'a wildcard stands for at least one character')
  assert.equal(at('api.elsewhere'), 'prefix')
  assert.equal(at('shop.test'), 'any')
  assert.equal(at('api.shop.test:80'), 'prefix', 'the port is part of the name')
})

test('the port of the host can be ignored, also in brackets and when empty', () => {
  const hosts = table([{ name: 'v', domains: ['web.test', '[::1]'], routes: [route('r', path('prefix', '/'))] }], true)
  for (const authority of ['web.test', 'web.test:80', 'web.test:', '[::1]:80', '[::1]'])
    assert.equal(find(hosts, { authority }), 'r', authority)
  assert.equal(find(hosts, { authority: 'web.test:x' }), undefined)
})

test('no virtual host, or no route of it: undefined', () => {
  const hosts = table([
    { name: 'a', domains: ['a.test'], routes: [route('a', path('exact', '/a'))] },
    { name: 'b', domains: ['*'], routes: [route('b', path('prefix', '/'))] },
  ])
  assert.equal(find(hosts, { authority: 'a.test', path: '/b' }), undefined, 'no second virtual host is asked')
  assert.equal(find(table([]), {}), undefined)
})

test('paths: exact without query, prefix, whole segments, regex, case', () => {
  const routes = oneHost(
    route('exact', path('exact', '/a')),
    route('segments', path('segments', '/a')),
    route('prefix', path('prefix', '/ab')),
    route('regex', path('regex', '/v[0-9]+/.*')),
    route('anyCase', path('exact', '/Hello', false)),
    route('root', path('segments', '/')),
  )
  const at = (target: string) => find(routes, { path: target })
  assert.equal(at('/a?x=/b'), 'exact')
  assert.equal(at('/a/'), 'segments')
  assert.equal(at('/a/b?q'), 'segments')
  assert.equal(at('/abc'), 'prefix')
  assert.equal(at('/v12/items'), 'regex')
  assert.equal(at('/hELLO'), 'anyCase')
  assert.equal(at('/A'), 'root')
  assert.equal(at('/'), 'root')
})

test('headers and query parameters: all must hold, first route wins', () => {
  const present = (name: string, invert = false): HeaderMatch => ({ name, match: undefined, invert })
  const routes = oneHost(
    route('post', path('prefix', '/'), [exact(':method', 'POST')]),
    route('joined', path('prefix', '/'), [exact('x-role', 'a, b')]),
    route('tagged', path('prefix', '/'), [], [exact('tag', 'blue'), present('on')]),
    route('not-old', path('prefix', '/'), [exact('x-version', 'old', true)]),
    route('absent', path('prefix', '/'), [present('x-skip', true)]),
    route('rest', path('prefix', '/')),
  )
  assert.equal(find(routes, { method: 'POST', headers: { 'x-version': 'new' } }), 'post')
  assert.equal(find(routes, { headers: { 'x-version': 'new' } }), 'not-old')
  assert.equal(find(routes, { headers: { 'x-version': 'old' } }), 'absent')
  assert.equal(find(routes, {}), 'absent', 'a missing header matches nothing, not even inverted')
  assert.equal(find(routes, { headers: { 'x-skip': '' } }), 'rest')
  assert.equal(find(routes, { path: '/?on&tag=blue' }), 'tagged')
  assert.equal(find(routes, { path: '/?tag=blue', headers: { 'x-skip': '1' } }), 'rest')
  const two = makeCall({})
  two.headers = ['a', 'b'].map((value) => ({ name: 'x-role', rawName: 'X-Role', value }))
  assert.equal(compileRoutes(routes, seeded(1))(two)?.name, 'joined')
})

test('query values', () => {
  assert.equal(queryValue('/p?a=1&b=2&a=3', 'a'), '1')
  assert.equal(queryValue('/p?ab=1&b', 'b'), '')
  assert.equal(queryValue('/p?ab=1', 'a'), undefined)
  assert.equal(queryValue('/p', 'a'), undefined)
  assert.equal(queryValue('/p?x=a=1&a=b=c', 'a'), 'b=c')
})

test('an invalid regex never matches', () => {
  assert.equal(find(oneHost(route('bad', path('regex', '(')), route('ok', path('prefix', '/'))), { path: '/(' }), 'ok')
})

test('the index finds what asking route by route finds', () => {
  const random = seeded(3)
  for (let round = 0; round < 60; round++) {
    const routes = Array.from({ length: 1 + random.index(40) }, (_, index) =>
      route(`r${index}`, randomPath(random), random.index(4) === 0 ? [exact('x-kind', String(random.index(3)))] : []),
    )
    const router = compileRoutes(oneHost(...routes), seeded(1))
    for (let asked = 0; asked < 100; asked++) {
      const call = makeCall({ path: randomText(random), headers: { 'x-kind': String(random.index(3)) } })
      const slow = routes.find(
        (one) => slowMatch(one.match.path, call.path) && slowHeaders(one, call.headers[0]?.value),
      )
      assert.equal(
        router(call)?.name,
        slow?.name,
        `${call.path} over ${JSON.stringify(routes.map((one) => one.match))}`,
      )
    }
  }
})

test('hosts, wildcards, headers and query parameters find what asking one after the other finds', () => {
  const random = seeded(7)
  const found = new Set<string | undefined>()
  for (let round = 0; round < 60; round++) {
    const hosts = Array.from({ length: 1 + random.index(12) }, (_, index): VirtualHost => {
      const domains = Array.from({ length: 1 + random.index(2) }, () => randomDomain(random))
      const routes = Array.from({ length: 1 + random.index(12) }, (_one, number) => {
        const headers = random.index(3) === 0 ? [exact('x-kind', String(random.index(2)), random.index(2) === 0)] : []
        const query = random.index(3) === 0 ? [exact('tag', String(random.index(2)))] : []
        return route(`${index}-${number}`, randomPath(random), headers, query)
      })
      return { name: `v${index}`, domains, routes }
    })
    const router = compileRoutes(table(hosts), seeded(1))
    for (let asked = 0; asked < 100; asked++) {
      const kind = String(random.index(2))
      const target = `${randomText(random)}?tag=${random.index(2)}`
      const call = makeCall({ authority: randomName(random), path: target, headers: { 'x-kind': kind } })
      const slow = slowHost(hosts, call.authority)?.routes.find(
        ({ match }) =>
          slowMatch(match.path, target.split('?')[0] ?? '') &&
          match.headers.every((one) => slowExact(one, kind)) &&
          match.queryParameters.every((one) => slowExact(one, target.at(-1))),
      )
      assert.equal(router(call)?.name, slow?.name, `${call.authority} ${target} ${kind} over ${JSON.stringify(hosts)}`)
      found.add(slow?.name)
    }
  }
  assert.ok(found.has(undefined) && found.size > 40, 'the cases are not all alike')
})

test('10,000 routes: a match does not grow with their number', () => {
  const routes = Array.from({ length: 10_000 }, (_, index) =>
    route(`r${index}`, path(index % 2 ? 'exact' : 'segments', `/service-${index}/items`)),
  )
  const router = compileRoutes(oneHost(...routes, route('last', path('prefix', '/'))), seeded(1))
  assert.equal(router(makeCall({ path: '/service-9998/items/4' }))?.name, 'r9998')
  assert.equal(router(makeCall({ path: '/service-9999/items' }))?.name, 'r9999')
  assert.equal(router(makeCall({ path: '/service-9999/items/4' }))?.name, 'last')
  const call = makeCall({ path: '/service-9998/items/4' })
  const startedMs = performance.now()
  for (let count = 0; count < 10_000; count++) router(call)
  assert.ok(performance.now() - startedMs < 1_000, 'under 100 µs a match on any machine; a scan takes far more')
})

const alphabet = ['a', 'B', 'b', '/', '/']
const randomText = (random: Random): string =>
  `/${Array.from({ length: random.index(6) }, () => alphabet[random.index(alphabet.length)]).join('')}`
const kinds: readonly Kind[] = ['exact', 'prefix', 'segments', 'regex']
const randomPath = (random: Random): PathMatch => {
  const kind = kinds[random.index(4)] ?? 'exact'
  return path(kind, kind === 'regex' ? `${randomText(random)}.?` : randomText(random), random.index(3) > 0)
}

function slowMatch({ kind, value, caseSensitive }: PathMatch, target: string): boolean {
  if (kind === 'regex') return new RegExp(`^(?:${value})$`, caseSensitive ? '' : 'i').test(target)
  const [want, have] = caseSensitive ? [value, target] : [value.toLowerCase(), target.toLowerCase()]
  if (kind === 'exact') return have === want
  if (kind === 'prefix') return have.startsWith(want)
  const whole = want.endsWith('/') ? want.slice(0, -1) : want
  return have === whole || have.startsWith(`${whole}/`)
}

const labels = ['a', 'b', 'ab']
const randomName = (random: Random): string =>
  Array.from({ length: 1 + random.index(3) }, () => labels[random.index(labels.length)]).join('.')
/** A name, or one with its first or last label left open; seldom any. */
function randomDomain(random: Random): string {
  const name = randomName(random)
  return [name, name, `*.${name}`, `${name}.*`, random.index(4) === 0 ? '*' : name][random.index(5)] ?? name
}

/** The best kind of domain, of two of one kind the longer, of two alike the first. */
function slowHost(hosts: readonly VirtualHost[], host: string): VirtualHost | undefined {
  const fitting = hosts.flatMap((one) =>
    one.domains.filter((domain) => slowDomain(domain, host)).map((domain) => ({ one, domain })),
  )
  return fitting.toSorted((a, b) => rank(a.domain) - rank(b.domain) || b.domain.length - a.domain.length)[0]?.one
}
const rank = (domain: string): number =>
  domain === '*' ? 3 : domain.startsWith('*') ? 1 : domain.endsWith('*') ? 2 : 0
const slowDomain = (domain: string, host: string): boolean => {
  if (rank(domain) === 0) return domain === host
  if (host.length < domain.length) return false
  return domain.startsWith('*') ? host.endsWith(domain.slice(1)) : host.startsWith(domain.slice(0, -1))
}
const slowExact = ({ match, invert }: HeaderMatch, value: string | undefined): boolean =>
  match !== undefined && 'value' in match && (match.value === value) !== invert

const slowHeaders = ({ match }: Route, kind: string | undefined): boolean =>
  match.headers.every((one) => one.match !== undefined && 'value' in one.match && one.match.value === kind)

test('routes with a share: one draw a call, so that shares overlap as in Envoy', () => {
  const shared = (name: string, share: number) => {
    const whole = route(name, path('prefix', '/'))
    return { ...whole, match: { ...whole.match, share } }
  }
  const router = compileRoutes(
    oneHost(shared('quarter', 0.25), shared('half', 0.5), route('rest', path('prefix', '/'))),
    seeded(7),
  )
  const counts = new Map<string, number>()
  for (let n = 0; n < 4000; n++) {
    const name = router(makeCall({}))?.name ?? 'none'
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const [name, wanted] of [
    ['quarter', 1000],
    ['half', 1000],
    ['rest', 2000],
  ] as const)
    assert.ok(Math.abs((counts.get(name) ?? 0) - wanted) < 120, `${name}: ${counts.get(name)}`)
  const never = compileRoutes(oneHost(shared('never', 0), route('rest', path('prefix', '/'))), seeded(7))
  assert.equal(never(makeCall({}))?.name, 'rest')
})

test('a host that wants TLS sends all others away, whatever they ask for, or all but those from within', () => {
  const insisting = (requireTls: 'all' | 'external'): RouteTable =>
    table([{ name: 'all', domains: ['*'], routes: [route('in', path('prefix', '/a'))], requireTls }])
  const plain = { 'x-forwarded-proto': 'http' }
  const secure = { 'x-forwarded-proto': 'https' }
  const within = { ...plain, 'x-envoy-internal': 'true' }
  for (const [wanted, headers, expected] of [
    ['all', plain, 'all/require-tls'],
    ['all', {}, 'all/require-tls'],
    ['all', within, 'all/require-tls'],
    ['all', secure, 'in'],
    ['external', plain, 'all/require-tls'],
    ['external', within, 'in'],
    ['external', secure, 'in'],
  ] as const)
    assert.equal(find(insisting(wanted), { path: '/a', headers }), expected, `${wanted} ${JSON.stringify(headers)}`)
  assert.equal(find(insisting('all'), { path: '/elsewhere', headers: plain }), 'all/require-tls')
  assert.equal(find(insisting('all'), { path: '/elsewhere', headers: secure }), undefined)
})
