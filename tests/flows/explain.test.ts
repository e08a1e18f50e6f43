import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const policy = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - matches: [{ path: { type: Exact, value: /special }, headers: [{ name: x-user, value: ann }] }]
      backendRefs: [{ name: web, port: 80 }]
    - backendRefs: [{ name: web, port: 80 }]
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: readers }
spec:
  selector: { matchLabels: { app: web } }
  rules:
    - from: [{ source: { principals: ['weft.local/ns/default/sa/client'] } }]
      to: [{ operation: { methods: [GET] } }]
`

test('explain tells what then happens, and which resource made it so', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const other = await world.run('other', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(policy)
  await world.curlUntil(other, 'http://web/', 403)
  const explain = async (...args: readonly string[]): Promise<string> => {
    const { status, out, err } = await world.weft(['explain', ...args])
    assert.equal(status, 0, err)
    return out
  }

  const read = await explain('--from', 'client', 'GET', 'http://web/special')
  assert.match(
    read,
    /✗ default\/web\/rule-0\/match-0: header x-user is not "ann" +\(HTTPRoute default\/web spec\.rules\[0\]\)/,
  )
  assert.match(read, /✓ default\/web\/rule-1\/match-0 +\(HTTPRoute default\/web spec\.rules\[1\]\)/)
  assert.match(read, new RegExp(`✓ 127\\.0\\.0\\.1:\\d+ default/${web.name} healthy, \\d+ active, mTLS`))
  assert.match(read, /allow +✓ default\/readers\/rule-0 +\(AuthorizationPolicy default\/readers spec\.rules\[0\]\)/)
  assert.match(read, /answer +the program of default\/web-/)
  assert.equal((await world.curl(client, 'http://web/special')).status, 200)

  const ann = await explain('--from', 'client', 'GET', 'http://web/special', '-H', 'x-user: ann')
  assert.match(ann, /route +✓ default\/web\/rule-0\/match-0/)

  const write = await explain('--from', 'client', 'POST', 'http://web/')
  assert.match(write, /allow +✗ default\/readers\/rule-0: its conditions do not hold/)
  const denied = /answer +403 (.+)/.exec(write)?.[1]
  const { status, body } = await world.curl(client, 'http://web/', { method: 'POST' })
  assert.equal(status, 403)
  assert.equal(body.trim(), denied, 'the very sentence that the caller gets')

  assert.match(
    await explain('--from', 'other', 'GET', 'http://web/'),
    /answer +403 spiffe:\/\/weft\.local\/ns\/default\/sa\/other/,
  )
  assert.match(
    await explain('--from', 'client', 'GET', 'http://web:99/'),
    /answer +502 service default\/web has no port 99/,
  )
  assert.match(await explain('--from', 'client', 'GET', 'http://web/a%2Fb'), /answer +400 /)

  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - matches: [{ path: { value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }]
    - backendRefs: [{ name: web, port: 80 }]
`)
  await world.curlUntil(client, 'http://web/old/x', 302)
  assert.match(await explain('--from', 'client', 'GET', 'http://web/old/x'), /answer +302 go to http:\/\/web\/new\/x/)

  assert.equal(await web.stop(), 0)
  await until(
    'nobody is left to ask',
    async () =>
      /answer +nobody to ask/.test(await explain('--from', 'client', 'GET', 'http://web/')) ||
      /no service of the mesh/.test(await explain('--from', 'client', 'GET', 'http://web/')),
  )
})

test('explain without a caller, with a bad URL and with an unknown proxy says what to do', async (t) => {
  const world = createWorld(t)
  await world.up()
  const noCaller = await world.weft(['explain', 'GET', 'http://web/'])
  assert.match(noCaller.err, /--from/)
  assert.equal(noCaller.status, 1)
  assert.equal((await world.weft(['explain', '--from', 'x', 'GET', 'ftp://web/'])).status, 2)
  assert.match(
    (await world.weft(['explain', '--from', 'nobody', 'GET', 'http://web/'])).err,
    /no proxy default\/nobody/,
  )
})
