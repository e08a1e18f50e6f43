import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import type { StoredDocument } from '../collect/store.ts'
import { apiToken } from './api-token.ts'
import type { ApplyResult, ErrorReply, ResourceList, TokenResult, WatchLine } from './contract.ts'
import { apiWorld } from './testing/api-world.ts'

const service = (name: string, port = 80): string => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ port: ${port} }] }
`

test('apply writes all documents and says what became of each', async (context) => {
  const { call } = await apiWorld(context)
  const first = await call('POST', '/v1/apply', `${service('web')}---\n${service('api')}`)
  assert.equal(first.status, 200)
  assert.deepEqual(first.json<ApplyResult>().results, [
    { resource: 'Service default/web', action: 'created' },
    { resource: 'Service default/api', action: 'created' },
  ])
  const again = await call('POST', '/v1/apply', `${service('web')}---\n${service('api', 81)}`)
  assert.deepEqual(
    again.json<ApplyResult>().results.map(({ action }) => action),
    ['unchanged', 'configured'],
  )
})

test('apply is all or nothing, and names every problem', async (context) => {
  const { call } = await apiWorld(context)
  const bad = await call('POST', '/v1/apply', `${service('web')}---\nkind: Servise\n---\n${service('api', 99_999)}`)
  assert.equal(bad.status, 422)
  const { problems = [] } = bad.json<ErrorReply>()
  assert.ok(problems.some(({ message }) => message.includes('did you mean Service?')))
  assert.ok(
    problems.some(({ resource, field }) => resource === 'Service default/api' && field === 'spec.ports[0].port'),
  )
  assert.equal((await call('GET', '/v1/resources/services')).json<ResourceList>().items.length, 0)
})

test('the same resource twice in one apply is refused', async (context) => {
  const { call } = await apiWorld(context)
  const twice = await call('POST', '/v1/apply', `${service('web')}---\n${service('web', 81)}`)
  assert.equal(twice.status, 422)
  assert.match(twice.text, /is given twice/)
})

test('a dry run and validate write nothing', async (context) => {
  const { call } = await apiWorld(context)
  const dry = await call('POST', '/v1/apply?dryRun=true', service('web'))
  assert.equal(dry.json<ApplyResult>().results[0]?.action, 'created')
  assert.equal((await call('POST', '/v1/validate', service('web'))).json<ApplyResult>().results[0]?.action, 'valid')
  assert.equal((await call('GET', '/v1/resources/svc')).json<ResourceList>().items.length, 0)
})

test('a document that was read and sent back does not overwrite what came in between: 409', async (context) => {
  const { call } = await apiWorld(context)
  await call('POST', '/v1/apply', service('web'))
  const read = (await call('GET', '/v1/resources/Service/default/web')).json<StoredDocument>()
  await call('POST', '/v1/apply', service('web', 81))
  const late = await call('POST', '/v1/apply', JSON.stringify({ ...read, spec: { ports: [{ port: 82 }] } }))
  assert.equal(late.status, 409)
  assert.match(late.json<ErrorReply>().error, /changed by somebody else/)
})

test('what belongs to a file or to a registration is neither overwritten nor deleted', async (context) => {
  const { call, others } = await apiWorld(context)
  const metadata = { namespace: 'default', labels: {}, annotations: {}, resourceVersion: '0', creationTimestamp: '' }
  others.push(
    {
      document: { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, name: 'filed' } },
      owner: { kind: 'file', file: '/mesh/a.yaml' },
    },
    {
      document: { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, name: 'inferred' } },
      owner: { kind: 'registered' },
    },
  )
  assert.match((await call('POST', '/v1/apply', service('filed'))).text, /comes from the file \/mesh\/a\.yaml/)
  assert.equal((await call('DELETE', '/v1/resources/service/default/filed')).status, 422)
  const refused = await call('DELETE', '/v1/resources/service/default/inferred')
  assert.equal(refused.status, 422)
  assert.match(refused.text, /goes when the last of them stops/)
  assert.equal(
    (await call('POST', '/v1/apply', service('inferred'))).status,
    200,
    'a written Service replaces an inferred one',
  )
})

test('delete, and what is not there', async (context) => {
  const { call } = await apiWorld(context)
  await call('POST', '/v1/apply', service('web'))
  assert.equal((await call('DELETE', '/v1/resources/services/default/web')).status, 200)
  assert.equal((await call('DELETE', '/v1/resources/services/default/web')).status, 404)
  const unknown = await call('GET', '/v1/resources/servises')
  assert.equal(unknown.status, 404)
  assert.match(unknown.json<ErrorReply>().error, /did you mean Service\?/)
  assert.equal((await call('GET', '/nowhere')).status, 404)
  assert.equal((await call('POST', '/v1/info')).status, 405)
})

test('proxies, config and tokens', async (context) => {
  const { call } = await apiWorld(context)
  assert.match((await call('GET', '/v1/proxies')).text, /default\/web-1/)
  assert.deepEqual((await call('GET', '/v1/proxies/default/web-1/config?what=certs')).json(), { what: 'certs' })
  assert.equal((await call('GET', '/v1/proxies/default/web-1/config?what=secrets')).status, 400)
  assert.equal((await call('GET', '/v1/proxies/default/none/config')).status, 404)
  assert.equal((await call('POST', '/v1/tokens', '{"ttlMs":5000}')).json<TokenResult>().expiresMs, 5000)
  assert.equal((await call('POST', '/v1/tokens', '{"ttlMs":1000}')).status, 422)
  assert.match((await call('POST', '/v1/tokens', '{"ttl":5000}')).text, /ttl: unknown field/)
  assert.equal((await call('POST', '/v1/tokens', '{')).status, 400)
})

test('over TCP the token is needed for all but a few paths, and a foreign Host is refused', async (context) => {
  const { callTcp, token, dataDir } = await apiWorld(context)
  for (const open of ['/', '/healthz', '/metrics']) assert.equal((await callTcp('GET', open)).status, 200, open)
  assert.equal((await callTcp('GET', '/v1/info')).status, 401)
  assert.equal((await callTcp('GET', '/v1/info', { authorization: `Bearer ${token.slice(1)}x` })).status, 401)
  assert.equal((await callTcp('GET', '/v1/info', { authorization: `Bearer ${token}` })).status, 200)
  assert.equal((await callTcp('GET', '/metrics', { host: 'evil.example' })).status, 403)
  assert.equal((await callTcp('GET', '/metrics', { host: 'mesh.example:80' })).status, 200)
  assert.equal(apiToken(dataDir), token, 'the token stays')
  assert.equal(fs.statSync(path.join(dataDir, 'api.token')).mode & 0o777, 0o600)
  assert.equal(fs.statSync(path.join(dataDir, 'api.sock')).mode & 0o777, 0o600)
})

test('10 MB is the limit, and garbage is answered with a sentence', async (context) => {
  const { call, callTcp, port } = await apiWorld(context)
  const large = await call('POST', '/v1/apply', 'a: 1\n'.repeat(2_200_000))
  assert.equal(large.status, 413)
  assert.match(large.json<ErrorReply>().error, /over 10 MB/)
  assert.equal((await call('POST', '/v1/apply', '\t{{{')).status, 422)
  assert.equal((await call('POST', '/v1/apply', '')).status, 400)
  assert.equal((await call('GET', '/%zz')).status, 400)
  await new Promise<void>((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.end('\0\x01garbage\r\n\r\n'))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
  })
  assert.equal((await callTcp('GET', '/healthz')).status, 200)
})

test('a watch tells what is there and then every change', async (context) => {
  const { call, dataDir } = await apiWorld(context)
  await call('POST', '/v1/apply', service('web'))
  const lines: WatchLine[] = []
  const heard = new EventTarget()
  const until = async (enough: () => boolean): Promise<void> => {
    while (!enough()) await new Promise((resolve) => heard.addEventListener('line', resolve, { once: true }))
  }
  const request = http.get(
    { socketPath: path.join(dataDir, 'api.sock'), path: '/v1/resources/services?watch=true' },
    (response) =>
      response.on('data', (chunk: Buffer) => {
        for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line))
        heard.dispatchEvent(new Event('line'))
      }),
  )
  request.on('error', () => {})
  await until(() => lines.length === 1)
  await call('POST', '/v1/apply', service('api'))
  await until(() => lines.length === 2)
  await call('DELETE', '/v1/resources/services/default/web')
  await until(() => lines.length === 3)
  assert.deepEqual(
    lines.map(({ kind }) => kind),
    ['put', 'put', 'delete'],
  )
  request.destroy()
})

test('a part that throws is a 500, not the end', async (context) => {
  const { call } = await apiWorld(context, {
    metrics() {
      throw new Error('boom')
    },
  })
  assert.equal((await call('GET', '/metrics')).status, 500)
  assert.equal((await call('GET', '/healthz')).status, 200)
})
