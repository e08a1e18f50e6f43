import assert from 'node:assert/strict'
import { test } from 'node:test'
import { installRules, passesBy, readRules } from './rules.ts'

const rule = (key: string, right: unknown, op = '=='): unknown => ({
  rule: { expr: [{ match: { op, left: { meta: { key } }, right } }, { return: null }] },
})

test('rules replace what was there, and whoever is excepted leaves before anything is caught', () => {
  const text = installRules({ exceptUsers: [0, 7], onlyUsers: [1000], exceptMarks: [0x77] })
  assert.match(text, /^table inet weft\ndelete table inet weft\ntable inet weft \{/)
  const lines = text.split('\n').map((line) => line.trim())
  const at = (line: string): number => lines.indexOf(line)
  const caught = at('udp dport 53 redirect to :15053')
  for (const passing of ['meta skuid { 0, 7 } return', 'meta mark { 119 } return', 'meta skuid != { 1000 } return'])
    assert.ok(at(passing) > 0 && at(passing) < caught, passing)
  assert.doesNotMatch(installRules({ exceptUsers: [5], onlyUsers: [], exceptMarks: [] }), /mark|!=/)
})

test('what nft lists is read back, one value, a set or a range', () => {
  const listed = {
    nftables: [
      { metainfo: {} },
      { chain: { name: 'output' } },
      rule('skuid', { set: [0, { range: [7, 9] }] }),
      rule('mark', 119),
      rule('skuid', 1000, '!='),
      {
        rule: {
          expr: [
            { match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'tcp' } },
            { redirect: { port: 15001 } },
          ],
        },
      },
    ],
  }
  assert.deepEqual(readRules(listed), { exceptUsers: [0, 7, 8, 9], onlyUsers: [1000], exceptMarks: [119] })
  assert.equal(readRules({ nftables: [{ metainfo: {} }] }), undefined)
  assert.equal(readRules('nothing'), undefined)
})

test('a sidecar must not be caught by its own rules', () => {
  const rules = { exceptUsers: [0], onlyUsers: [], exceptMarks: [] }
  assert.deepEqual([passesBy(rules, 0), passesBy(rules, 1000)], [true, false])
  assert.ok(passesBy({ ...rules, exceptUsers: [], onlyUsers: [1000] }, 0))
  assert.ok(!passesBy({ ...rules, exceptUsers: [], onlyUsers: [1000] }, 1000))
})
