import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ValuePart } from '../config.ts'
import { headerField } from '../http/headers.ts'
import type { Call } from '../http/service.ts'
import type { ReplySoFar } from './known.ts'
import { compileText } from './value-of.ts'

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

const formatValue = (parts: readonly ValuePart[], asked: Call, reply: ReplySoFar | undefined): string =>
  compileText(parts, { absent: '', wire: true })({ peer: asked.peer, call: asked, trace: asked.trace, reply })

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

test('a header carries the bytes of its text, a log the text', () => {
  const asked = { ...call, headers: [headerField('x', 'Ã¼')] }
  const known = { peer: asked.peer, call: asked, trace: asked.trace }
  const parts: readonly ValuePart[] = [{ kind: 'request-header', names: ['x'] }]
  assert.equal(compileText(parts, { absent: '-', wire: true })(known), 'Ã¼')
  assert.equal(compileText(parts, { absent: '-', wire: false })(known), 'ü')
  assert.equal(compileText([{ kind: 'peer-subject' }], { absent: '-', wire: false })(known), '-')
})

test('who is at the other end is told apart from whom proxies name; a name that is none is made harmless', () => {
  const { peer } = call
  const asked = {
    ...call,
    client: { host: '192.0.2.9', port: 0 },
    peer: { ...peer, direct: { host: '192.0.2.8', port: 9 }, serverName: 'a\nb" c' },
  }
  const value = (...parts: readonly ValuePart[]): string => formatValue(parts, asked, undefined)
  assert.equal(value({ kind: 'remote-address' }), '192.0.2.9:0')
  assert.equal(value({ kind: 'direct-remote-address' }), '192.0.2.8:9')
  assert.equal(formatValue([{ kind: 'direct-remote-host' }], call, undefined), '192.0.2.1')
  assert.equal(value({ kind: 'server-name' }), 'a_b__c')
})
