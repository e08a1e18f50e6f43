import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CorsPolicy } from '../config.ts'
import { headerField } from '../http/headers.ts'
import { isFault, type Reply } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { cors } from './cors.ts'

const policy: CorsPolicy = {
  allowOrigins: [
    { kind: 'exact', value: 'https://a.example', ignoreCase: false },
    { kind: 'regex', value: 'https://[^/]+\\.b\\.example', ignoreCase: false },
  ],
  allowMethods: 'GET, PUT',
  allowHeaders: 'x-one',
  exposeHeaders: 'x-three',
  maxAge: '60',
  allowCredentials: true,
  forwardUnmatchedPreflights: false,
}

/** Status and fields of the reply, and whether the program was asked. */
async function ask(
  method: string,
  headers: Record<string, string>,
  more: Partial<CorsPolicy> = {},
  reply = makeReply(),
) {
  let asked = false
  const layer = cors({ ...policy, ...more })
  const answer = await layer?.(() => {
    asked = true
    return Promise.resolve(reply)
  })(makeCall({ method, headers }))
  assert.ok(answer !== undefined && !isFault(answer))
  return {
    status: answer.status,
    asked,
    fields: Object.fromEntries(answer.headers.map((one) => [one.name, one.value])),
  }
}
const preflight = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-one, x-two' }

test('a preflight of an allowed origin is answered here', async () => {
  for (const origin of ['https://a.example', 'https://deep.er.b.example']) {
    assert.deepEqual(await ask('OPTIONS', { origin, ...preflight }), {
      status: 200,
      asked: false,
      fields: {
        'access-control-allow-origin': origin,
        vary: 'Origin',
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': 'x-three',
        'access-control-allow-methods': 'GET, PUT',
        'access-control-allow-headers': 'x-one',
        'access-control-max-age': '60',
      },
    })
  }
})

test('a preflight of another origin is answered without a permission, or goes on', async () => {
  const stranger = { origin: 'https://b.example', ...preflight }
  assert.deepEqual(await ask('OPTIONS', stranger), { status: 200, asked: false, fields: {} })
  assert.equal((await ask('OPTIONS', stranger, { forwardUnmatchedPreflights: true })).asked, true)
})

test('with credentials "*" is spelled out, without it stands for itself', async () => {
  const headers = { origin: 'https://a.example', ...preflight }
  const all = { allowMethods: '*', allowHeaders: '*' }
  const spelled = (await ask('OPTIONS', headers, all)).fields
  assert.equal(spelled['access-control-allow-methods'], 'PUT')
  assert.equal(spelled['access-control-allow-headers'], 'x-one, x-two')
  const stars = (await ask('OPTIONS', headers, { ...all, allowCredentials: false })).fields
  assert.equal(stars['access-control-allow-methods'], '*')
  assert.equal(stars['access-control-allow-credentials'], undefined)
})

test('a reply to an allowed origin carries our word, not the program’s', async () => {
  const reply: Reply = { ...makeReply(), headers: [headerField('access-control-allow-origin', '*')] }
  const { asked, fields } = await ask('GET', { origin: 'https://a.example' }, {}, reply)
  assert.equal(asked, true)
  assert.equal(fields['access-control-allow-origin'], 'https://a.example')
  assert.equal(fields['access-control-expose-headers'], 'x-three')
})

test('others are served as if nothing was configured', async () => {
  assert.deepEqual((await ask('GET', { origin: 'https://b.example' })).fields, {})
  assert.deepEqual((await ask('GET', {})).fields, {})
  assert.equal((await ask('OPTIONS', { origin: 'https://a.example' })).asked, true, 'no preflight')
  assert.equal(cors(undefined), undefined)
})
