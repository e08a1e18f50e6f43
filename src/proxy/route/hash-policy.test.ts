import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexHash, rotatedByOne, xorHash, xxHash64 } from '../../base/xx-hash.ts'
import type { HashPolicy } from '../config.ts'
import { isFault, type Call } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { hashing, hashOf } from './hash-policy.ts'

const header: HashPolicy = { kind: 'header', name: 'x-user', terminal: false }
const sourceIp: HashPolicy = { kind: 'source-ip', terminal: false }
const query: HashPolicy = { kind: 'query-parameter', name: 'user', terminal: false }
const cookie: HashPolicy = { kind: 'cookie', name: 'session', generate: undefined, terminal: false }
const generated: HashPolicy = { ...cookie, generate: { ttlS: 60, path: '/a', attributes: ['SameSite=Strict'] } }

const cases: readonly (readonly [string, HashPolicy[], Call, string | undefined])[] = [
  ['a header', [header], makeCall({ headers: { 'x-user': 'ann' } }), 'ann'],
  ['a header that is not there', [header], makeCall(), undefined],
  ['the authority', [{ ...header, name: ':authority' }], makeCall({ authority: 'web.test' }), 'web.test'],
  ['the source address', [sourceIp], makeCall(), '127.0.0.1'],
  ['a query parameter', [query], makeCall({ path: '/?a=b&user=ann' }), 'ann'],
  ['no such query parameter', [query], makeCall({ path: '/?users=ann' }), undefined],
  ['a cookie among others', [cookie], makeCall({ headers: { cookie: 'a=b; session="ann"; c=d' } }), 'ann'],
  ['no such cookie', [cookie], makeCall({ headers: { cookie: 'xsession=ann; session=' } }), undefined],
  ['what is there, where another is not', [header, query], makeCall({ path: '/?user=ann' }), 'ann'],
  [
    'the terminal one that is there',
    [{ ...header, terminal: true }, sourceIp],
    makeCall({ headers: { 'x-user': 'ann' } }),
    'ann',
  ],
  [
    'the next one when the terminal one is not there',
    [{ ...header, terminal: true }, sourceIp],
    makeCall(),
    '127.0.0.1',
  ],
]
for (const [title, policies, call, key] of cases)
  test(`hashed: ${title}`, () => {
    assert.deepEqual(hashOf(policies, call), {
      hash: key === undefined ? undefined : xxHash64(key),
      setCookie: undefined,
    })
  })

test('several that are there are mixed in order', () => {
  const { hash } = hashOf([sourceIp, query], makeCall({ path: '/?user=ann' }))
  assert.deepEqual(hash, xorHash(rotatedByOne(xxHash64('127.0.0.1')), xxHash64('ann')))
})

test('a header that came twice counts in whatever order', () => {
  const twice = (...values: string[]) => {
    const call = makeCall()
    call.headers = values.map((value) => ({ name: 'x-user', value, rawName: 'x-user' }))
    return hashOf([header], call).hash
  }
  assert.deepEqual(twice('ann', 'bob'), twice('bob', 'ann'))
  assert.deepEqual(twice('ann', 'bob'), xxHash64('bob', xxHash64('ann')))
})

test('a client without the cookie is given one, the same for all calls of a connection; by it the call is known', async () => {
  const layer = hashing([generated])
  assert.ok(layer)
  const seen: unknown[] = []
  const service = layer((call) => {
    seen.push(call.hash)
    return Promise.resolve(makeReply())
  })
  const setCookie = async (call: Call): Promise<string | undefined> => {
    const answer = await service(call)
    assert.ok(!isFault(answer))
    return answer.headers.find(({ name }) => name === 'set-cookie')?.value
  }
  const value = hexHash(xxHash64('127.0.0.1:40000127.0.0.1:8080'))
  assert.equal(await setCookie(makeCall()), `session="${value}"; Max-Age=60; Path=/a; SameSite=Strict; HttpOnly`)
  assert.equal(await setCookie(makeCall({ headers: { cookie: `session=${value}` } })), undefined)
  assert.deepEqual(seen, [xxHash64(value), xxHash64(value)])
})

test('without policies there is no layer', () => assert.equal(hashing(undefined), undefined))
