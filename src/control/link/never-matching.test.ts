import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import type { RouteMatch } from '../model/model.ts'
import { neverMatching } from './never-matching.ts'

type Short = string | (Partial<Omit<RouteMatch, 'path'>> & { readonly path?: string })

/** "=/a" exact, "~/a.*" a regular expression, "/a" a prefix of segments. */
function matching(
  short: Short,
  index: number,
): { readonly rule: { readonly match: RouteMatch }; readonly index: number } {
  const { path = '/', method, headers = [], queryParameters = [] } = typeof short === 'string' ? { path: short } : short
  const kind = path.startsWith('=') ? 'exact' : path.startsWith('~') ? 'regex' : 'segments'
  const match = { path: { kind, value: path.replace(/^[=~]/, '') }, method, headers, queryParameters } as const
  return { rule: { match }, index }
}
const found = (...shorts: readonly Short[]): readonly string[] =>
  neverMatching(shorts.map(matching)).map(({ one, by }) => `${one.index}<${by.index}`)
const is = (name: string, value: string): RouteMatch['headers'][number] => ({ name, kind: 'exact', value })

test('the same twice, and what a wider one takes before', () => {
  assert.deepEqual(found('/a', '/b', '/a'), ['2<0'])
  assert.deepEqual(found('/a', '=/a', '=/a/b', '/a/b', '/ab', '/'), ['1<0', '2<0', '3<0'])
  assert.deepEqual(found('=/a', '/a', '=/a'), ['2<0'])
  assert.deepEqual(found('/', '~/x.*', '=/y'), ['1<0', '2<0'])
  assert.deepEqual(found('~/.*', '/y', '~/z'), ['1<0', '2<0'])
  assert.deepEqual(found('~/x.*', '/x', '~/x.*'), ['2<0'])
})

test('fewer conditions match more, other conditions something else', () => {
  const [a, b] = [is('x-a', '1'), is('x-b', '2')]
  assert.deepEqual(found({ headers: [a] }, { headers: [b, a] }, { headers: [b] }), ['1<0'])
  assert.deepEqual(found({ headers: [is('X-A', '1')] }, { headers: [a], method: 'GET' }), ['1<0'])
  assert.deepEqual(found({ headers: [a] }, { headers: [is('x-a', '2')] }, { queryParameters: [a] }, '/'), [])
  assert.deepEqual(found({ method: 'GET' }, { method: 'POST' }, { path: '/a', method: 'GET' }), ['2<0'])
  const many = Array.from({ length: 9 }, (_, index) => is(`x-${index}`, ''))
  assert.deepEqual(found({ headers: many.slice(3, 4) }, { headers: many }), ['1<0'])
})

test('it finds exactly what comparing every pair finds', () => {
  const random = seeded(7)
  const pick = <T>(items: readonly T[]): T => items[random.index(items.length)] as T
  for (let round = 0; round < 200; round++) {
    const shorts = Array.from({ length: 12 }, (): Short => ({
      path: pick(['/', '/a', '/a/b', '=/a', '=/a/b', '~/a', '~.*']),
      ...(random.below(2) < 1 ? {} : { method: pick(['GET', 'PUT']) }),
      headers: [is('a', '1'), is('b', '1')].filter(() => random.below(3) < 1),
    }))
    const all = shorts.map(matching)
    const dead = new Set(neverMatching(all).map(({ one }) => one.index))
    const live = all.filter(({ index }) => !dead.has(index))
    for (const one of all) {
      const covered = live.some((other) => other.index < one.index && covers(other.rule.match, one.rule.match))
      assert.equal(dead.has(one.index), covered, JSON.stringify(shorts))
    }
  }
})

function covers(a: RouteMatch, b: RouteMatch): boolean {
  const under = (path: string, prefix: string): boolean =>
    prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)
  const [p, q] = [a.path, b.path]
  const wide = (one: typeof p): boolean => (one.value === '/' && one.kind === 'segments') || one.value === '.*'
  const path =
    wide(p) ||
    (p.kind === q.kind && p.value === q.value) ||
    (p.kind === 'segments' && q.kind !== 'regex' && under(q.value, p.value))
  const has = (one: RouteMatch['headers'][number]): boolean => b.headers.some((other) => other.name === one.name)
  return path && (a.method === undefined || a.method === b.method) && a.headers.every(has)
}
