import assert from 'node:assert/strict'
import { test } from 'node:test'
import { installRules, passesBy, readRules } from './rules.ts'

const noInbound = { inboundPorts: [], exceptInboundPorts: [] }
const rule = (key: string, right: unknown, op = '=='): unknown => ({
  rule: { expr: [{ match: { op, left: { meta: { key } }, right } }, { return: null }] },
})

test('rules replace what was there, and whoever is excepted leaves before anything is caught', () => {
  const text = installRules({ exceptUsers: [0, 7], onlyUsers: [1000], exceptMarks: [0x77], ...noInbound })
  assert.match(text, /^table inet weft\ndelete table inet weft\ntable inet weft \{/)
  const lines = text.split('\n').map((line) => line.trim())
  const at = (line: string): number => lines.indexOf(line)
  const caught = at('udp dport 53 redirect to :15053')
  for (const passing of ['meta skuid { 0, 7 } return', 'meta mark { 119 } return', 'meta skuid != { 1000 } return'])
    assert.ok(at(passing) > 0 && at(passing) < caught, passing)
  assert.doesNotMatch(installRules({ exceptUsers: [5], onlyUsers: [], exceptMarks: [], ...noInbound }), /mark|!=/)
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
  assert.deepEqual(readRules(listed), {
    exceptUsers: [0, 7, 8, 9],
    onlyUsers: [1000],
    exceptMarks: [119],
    ...noInbound,
  })
  assert.equal(readRules({ nftables: [{ metainfo: {} }] }), undefined)
  assert.equal(readRules('nothing'), undefined)
})

test('a sidecar must not be caught by its own rules', () => {
  const rules = { exceptUsers: [0], onlyUsers: [], exceptMarks: [], ...noInbound }
  assert.deepEqual([passesBy(rules, 0), passesBy(rules, 1000)], [true, false])
  assert.ok(passesBy({ ...rules, exceptUsers: [], onlyUsers: [1000] }, 0))
  assert.ok(!passesBy({ ...rules, exceptUsers: [], onlyUsers: [1000] }, 1000))
})

test('connections from outside are caught but for some ports, and read back as they were written', () => {
  const rules = { exceptUsers: [0], onlyUsers: [], exceptMarks: [] }
  const all = installRules({ ...rules, inboundPorts: 'all', exceptInboundPorts: [22, 6060] })
  assert.match(all, /hook prerouting[^}]*tcp dport \{ 22, 6060 \} return\n\s+meta l4proto tcp redirect to :15006/)
  assert.match(
    installRules({ ...rules, inboundPorts: [8080], exceptInboundPorts: [] }),
    /fib daddr type != local return\n\s+tcp dport \{ 8080 \} redirect to :15006/,
  )
  assert.doesNotMatch(installRules({ ...rules, ...noInbound }), /prerouting/)
  const inbound = (left: unknown, right: unknown, verdict: object): unknown => ({
    rule: { chain: 'inbound', expr: [{ match: { op: '==', left, right } }, verdict] },
  })
  const dport = { payload: { protocol: 'tcp', field: 'dport' } }
  const listed = (...more: unknown[]): unknown => ({
    nftables: [rule('skuid', 0), inbound({ meta: { key: 'iifname' } }, 'lo', { return: null }), ...more],
  })
  const caught = { redirect: { port: 15_006 } }
  assert.deepEqual(
    readRules(
      listed(
        inbound(dport, { set: [22, 6060] }, { return: null }),
        inbound({ meta: { key: 'l4proto' } }, 'tcp', caught),
      ),
    ),
    { ...rules, inboundPorts: 'all', exceptInboundPorts: [22, 6060] },
  )
  assert.deepEqual(readRules(listed(inbound(dport, { set: [{ range: [8080, 8081] }] }, caught))), {
    ...rules,
    inboundPorts: [8080, 8081],
    exceptInboundPorts: [],
  })
})
