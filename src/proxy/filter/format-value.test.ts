import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderOption } from '../config.ts'
import { headerField } from '../http/headers.ts'
import type { Call, Reply } from '../http/service.ts'
import { editReply, editRequest } from './edit-headers.ts'
import { formatValue } from './format-value.ts'

// Cast: as much of a call as values are made of.
const call = {
  method: 'GET',
  scheme: 'http',
  authority: 'web.example',
  path: '/x?y',
  protocol: 'h2',
  headers: [headerField('x-from', 'abcdef'), headerField('x-gone-not', 'there')],
  peer: {
    remote: { host: '192.0.2.1', port: 1234 },
    local: { host: '192.0.2.2', port: 80 },
    principal: 'spiffe://a',
    tls: true,
  },
  trace: { cluster: 'c', endpoint: { host: '192.0.2.3', port: 8080 } },
} as unknown as Call

test('parts of a value, those that are not there empty', () => {
  const reply = { status: 404, headers: [headerField('x-backend', 'b')] }
  assert.equal(formatValue(['a ', { kind: 'request-header', names: ['x-from'], longest: 3 }], call, undefined), 'a abc')
  assert.equal(
    formatValue([{ kind: 'request-header', names: ['x-gone', ':authority'] }], call, undefined),
    'web.example',
  )
  assert.equal(formatValue([{ kind: 'request-header', names: ['x-gone'] }], call, undefined), '')
  const both = [{ kind: 'response-code' }, '/', { kind: 'response-header', names: ['x-backend'] }] as const
  assert.equal(formatValue(both, call, reply), '404/b')
  assert.equal(
    formatValue([{ kind: 'remote-address' }, ' ', { kind: 'local-port' }], call, undefined),
    '192.0.2.1:1234 80',
  )
  assert.equal(formatValue([{ kind: 'protocol' }, ' ', { kind: 'peer-uri' }], call, undefined), 'HTTP/2 spiffe://a')
  assert.equal(formatValue([{ kind: 'cluster' }, ' ', { kind: 'upstream-host' }], call, reply), 'c 192.0.2.3:8080')
})

test('a value that comes out empty makes no field, and overwrites none', async () => {
  const option = (name: string, from: string, how: HeaderOption['how']): HeaderOption => ({
    name,
    rawName: name,
    value: [{ kind: 'request-header', names: [from] }],
    how,
  })
  const options = [
    option('x-a', 'x-from', 'append'),
    option('x-b', 'x-gone', 'append'),
    option('x-from', 'x-gone', 'overwrite'),
  ]
  const asked = { ...call }
  const reply: Reply = { status: 200, headers: [], body: { start() {} } as unknown as Reply['body'] }
  const layer = editRequest([{ remove: [], options }])
  await layer?.(() => Promise.resolve(reply))(asked)
  assert.deepEqual(
    asked.headers.map(({ name, value }) => `${name}=${value}`),
    ['x-from=abcdef', 'x-gone-not=there', 'x-a=abcdef'],
  )
  const edited = await editReply([{ remove: [], options: [option('x-a', 'x-from', 'overwrite')] }])?.(() =>
    Promise.resolve(reply),
  )(asked)
  assert.ok(edited !== undefined && 'headers' in edited)
  assert.deepEqual(
    edited.headers.map(({ name, value }) => `${name}=${value}`),
    ['x-a=abcdef'],
  )
})
