import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OriginalDestination } from './config.ts'
import { headerField } from './http/headers.ts'
import type { Peer } from './http/service.ts'
import { originalPlace } from './original-place.ts'

const own = { host: '127.0.0.1', port: 15_001 }
const peer: Peer = { remote: own, local: own, principal: undefined, tls: false }
const caught: Peer = { ...peer, restored: { host: '10.0.0.1', port: 80 } }
const place = (one: Peer, rules?: OriginalDestination, told?: string): string => {
  const headers = told === undefined ? [] : [headerField('x-to', told)]
  const found = originalPlace(rules === undefined ? {} : { originalDestination: rules }, one, headers)
  return found === undefined ? 'nowhere' : `${found.host} ${found.port}`
}

test('a call goes where its connection was for, or where a header says, never to a name', () => {
  assert.equal(place(caught), '10.0.0.1 80')
  assert.equal(place(caught, { port: 8080 }), '10.0.0.1 8080')
  assert.equal(place(peer), 'nowhere', 'it was for this proxy itself')
  assert.equal(place(caught, {}, '10.0.0.2:81'), '10.0.0.1 80', 'nobody looks at it')
  const header = 'x-to'
  assert.equal(place(caught, { header }), '10.0.0.1 80')
  assert.equal(place(peer, { header }, '10.0.0.2:81'), '10.0.0.2 81')
  assert.equal(place(peer, { header, port: 8080 }, '[2001:db8::1]:81'), '2001:db8::1 8080')
  for (const odd of ['localhost:80', '10.0.0.2', '', '10.0.0.2:99999'])
    assert.equal(place(peer, { header }, odd), 'nowhere', odd)
})
