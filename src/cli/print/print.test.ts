import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyTable } from '../commands/proxies.ts'
import { headingOf, rowOf } from './columns.ts'
import { formatAge, formatTable } from './table.ts'

test('a table has no blanks at the end of a line and no line breaks in a cell', () => {
  assert.equal(
    formatTable(
      ['A', 'B'],
      [
        ['long\ncell', ''],
        ['x', 'y'],
      ],
    ),
    'A          B\nlong cell\nx          y\n',
  )
  assert.deepEqual([5000, 600_000, 7_200_000, 864_000_000].map(formatAge), ['5s', '10m', '2h', '10d'])
})

test('rows of each kind', () => {
  const row = (document: object): string => rowOf(document, false, 0).join(' | ')
  assert.equal(
    row({
      kind: 'HTTPRoute',
      metadata: { name: 'r' },
      spec: {
        parentRefs: [{ kind: 'Service', name: 'web' }],
        rules: [{ backendRefs: [{ name: 'a', weight: 9 }, { name: 'b' }] }, {}],
      },
      status: { parents: [{ conditions: [{ type: 'Accepted', status: 'False', reason: 'NoMatchingParent' }] }] },
    }),
    'r | Service/web | a=9,b=1 +1 rules | no: NoMatchingParent | -',
  )
  assert.equal(
    row({
      kind: 'Workload',
      metadata: { name: 'w', creationTimestamp: '1970-01-01T00:00:00Z' },
      spec: { service: 'web', ports: [{ targetPort: 1, inbound: { address: '127.0.0.1', port: 2 } }] },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    }),
    'w | web | 127.0.0.1:2 | yes | - | -',
  )
  assert.equal(row({ kind: 'AuthorizationPolicy', metadata: { name: 'p' }, spec: {} }), 'p | ALLOW | all | 0 | - | -')
  assert.equal(row({ kind: 'Something', metadata: { name: 'x' } }), 'x | -')
  assert.deepEqual(headingOf('Namespace', true), ['NAMESPACE', 'NAME', 'AGE'])
})

test('proxies: synced, stale, rejected with the reason', () => {
  const table = proxyTable([
    {
      proxy: 'default/b',
      connected: true,
      forMs: 3000,
      revision: 12,
      types: [
        { type: 'LDS', resources: 2, synced: true, rejected: [] },
        { type: 'RDS', resources: 1, synced: false, rejected: [] },
        { type: 'CDS', resources: 4, synced: false, rejected: [{ name: 'c', reason: 'no such thing' }] },
      ],
    },
    {
      proxy: 'default/a',
      connected: false,
      forMs: 1000,
      revision: 0,
      types: [{ type: 'LDS', resources: 1, synced: true, rejected: [] }],
    },
  ])
  assert.match(
    table,
    /^PROXY[^\n]*\ndefault\/a +GONE 1s +- +-[^\n]*\ndefault\/b +connected 3s +12 +SYNCED 2 +STALE 1 +REJECTED 1\/4/,
  )
  assert.match(table, /default\/b refused CDS c: no such thing\n$/)
})
