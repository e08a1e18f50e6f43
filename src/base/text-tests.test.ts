import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp, prefixTest } from './ip-prefix.ts'
import { compileRegex, compileReplacement, regexProblem } from './regex.ts'
import { compileStringMatch, compileValueMatch } from './string-match.ts'

test('a regex matches the whole text or not at all, in linear time', () => {
  const version = compileRegex('/v[0-9]+')
  assert.equal(version?.('/v12'), true)
  assert.equal(version?.('/v12/x'), false)
  assert.equal(version?.('x/v12'), false)
  const evil = compileRegex('^(a+)+$')
  const started = performance.now()
  assert.equal(evil?.(`${'a'.repeat(10_000)}!`), false)
  assert.ok(performance.now() - started < 2_000)
})

test('what is no regex has a reason', () => {
  assert.equal(compileRegex('('), undefined)
  assert.match(regexProblem('(') ?? '', /paren|\)/)
  assert.match(regexProblem('(?=a)') ?? '', /invalid|perl/i)
  assert.match(regexProblem('a'.repeat(1_025)) ?? '', /1024/)
  assert.match(regexProblem('(a{1000}){1000}') ?? '', /repeat|expression/)
  assert.equal(regexProblem('a.c'), undefined)
})

test('string matches take their values literally', () => {
  const matches = (kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string, text: string, ignoreCase = false) =>
    compileStringMatch({ kind, value, ignoreCase })?.(text)
  assert.equal(matches('exact', 'a.b', 'axb'), false)
  assert.equal(matches('exact', 'a.b', 'a.b'), true)
  assert.equal(matches('exact', 'A.b', 'a.B', true), true)
  assert.equal(matches('prefix', 'a.', 'a.b'), true)
  assert.equal(matches('prefix', 'a.', 'axb'), false)
  assert.equal(matches('suffix', '.b', 'a.b'), true)
  assert.equal(matches('contains', '*', 'ab'), false)
  assert.equal(matches('exact', 'é', Buffer.from('é').toString('latin1')), true, 'UTF-8 on the wire')
  for (let byte = 0; byte < 256; byte++)
    assert.equal(matches('exact', '.', String.fromCharCode(byte)), byte === 0x2e, `byte ${byte}`)
})

test('addresses and prefixes', () => {
  const inside = (prefix: string, bits: number, host: string) => prefixTest(prefix, bits)?.(host)
  assert.equal(inside('10.0.0.0', 8, '10.255.0.1'), true)
  assert.equal(inside('10.0.0.0', 8, '11.0.0.1'), false)
  assert.equal(inside('10.0.0.128', 25, '10.0.0.127'), false)
  assert.equal(inside('10.0.0.1', 32, '10.0.0.1'), true)
  assert.equal(inside('0.0.0.0', 0, '1.2.3.4'), true)
  assert.equal(inside('0.0.0.0', 0, '::1'), false)
  assert.equal(inside('10.0.0.0', 8, '::ffff:10.1.1.1'), true)
  assert.equal(inside('10.0.0.0', 8, '::ffff:0a01:0101'), true)
  assert.equal(inside('fe80::', 10, 'fe80::1%eth0'), true)
  assert.equal(inside('2001:db8::', 33, '2001:db8:8000::1'), false)
  assert.equal(inside('10.0.0.0', 8, '010.0.0.1'), false, 'octal is no address')
  assert.equal(inside('10.0.0.0', 8, 'localhost'), false)
  assert.equal(prefixTest('10.0.0.0', 33), undefined)
  assert.equal(prefixTest('x', 8), undefined)
  assert.deepEqual(parseIp('1:2:3:4:5:6:7:8')?.length, 16)
  assert.deepEqual([...(parseIp('64:ff9b::1.2.3.4') ?? [])].slice(-4), [1, 2, 3, 4])
})

test('a replacement: groups, escapes, and what cannot be used', () => {
  const replaced = (pattern: string, substitution: string, text: string): string => {
    const replace = compileReplacement(pattern, substitution)
    return typeof replace === 'string' ? `! ${replace}` : replace(text)
  }
  assert.equal(replaced('^/a/([^/]+)(/.*)?$', '/\\1/x\\2', '/a/b/c'), '/b/x/c')
  assert.equal(replaced('^/a/([^/]+)(/.*)?$', '/\\1/x\\2', '/a/b'), '/b/x')
  assert.equal(replaced('o', '[\\0]', 'foo'), 'f[o][o]')
  assert.equal(replaced('o', '$1\\\\', 'foo'), 'f$1\\$1\\')
  assert.match(replaced('(a)', '\\2', 'a'), /! the substitution names group 2/)
  assert.match(replaced('a', '\\x', 'a'), /! a backslash in the substitution/)
  assert.match(replaced('(', '', 'a'), /^! /)
})

test('a range takes whole numbers, its end excluded', () => {
  const inRange = compileValueMatch({ kind: 'range', start: -5, end: 10 })
  const taken = ['-5', '9', '0', '10', '-6', '1.5', '', ' 1', '0x1'].filter((text) => inRange?.(text))
  assert.deepEqual(taken, ['-5', '9', '0'])
})
