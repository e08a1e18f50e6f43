import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { normalizePath } from './path.ts'

const cases: readonly (readonly [written: string, seen: string | undefined])[] = [
  ['/', '/'],
  ['*', '*'],
  ['/a/b.html?x=//../%2f\\', '/a/b.html?x=//../%2f\\'],
  ['/a//b', '/a/b'],
  ['//a', '/a'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a/.', '/a/'],
  ['/..', '/'],
  ['/../../x', '/x'],
  ['/.', '/'],
  ['//', '/'],
  ['/a/', '/a/'],
  ['/a/...', '/a/...'],
  ['/.well-known/x', '/.well-known/x'],
  ['/%61dmin', '/admin'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a%20b%c3%a9', '/a%20b%C3%A9'],
  ['/%252e%252e/x', '/%252e%252e/x'],
  ['/x;v=1/y', '/x;v=1/y'],
  ['/x/..;/admin', undefined],
  ['/x/.;a=b/admin', undefined],
  ['/x/%2e%2e;/admin', undefined],
  ['/a%2Fb', undefined],
  ['/a%5cb', undefined],
  ['/a\\b', undefined],
  ['/a%00', undefined],
  ['/a%', undefined],
  ['/a%2', undefined],
  ['/a%zz', undefined],
  ['/a#b', undefined],
  ['/a?b#c', undefined],
  ['/a b', undefined],
  ['/a\tb', undefined],
  ['pkg.Svc/Method', undefined],
  ['http://x/', undefined],
  ['', undefined],
]
for (const [written, seen] of cases)
  test(`${JSON.stringify(written)} → ${seen ?? 'refused'}`, () => assert.equal(normalizePath(written), seen))

test('what comes out stays as it is, and has nothing left to interpret', () => {
  const random = seeded(11)
  const pieces = ['/', '/', '.', '..', 'a', '%2e', '%61', '%', '%25', ';', '?', 'x', '%2', 'f', '#', '\\']
  for (let round = 0; round < 20_000; round++) {
    const written = `/${Array.from({ length: random.index(9) }, () => pieces[random.index(pieces.length)]).join('')}`
    const seen = normalizePath(written)
    if (seen === undefined) continue
    assert.equal(normalizePath(seen), seen, `${written} → ${seen}`)
    const path = seen.split('?')[0] ?? ''
    assert.doesNotMatch(path, /\/\/|\/\.{1,2}(\/|;|$)|%2f|%5c|%2e|\\|#/i, written)
  }
})
