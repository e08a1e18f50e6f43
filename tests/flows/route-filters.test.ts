import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

/** What the echo program saw. */
interface Echo {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

const route = (rules: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:${rules}
    - backendRefs: [{ name: web, port: 80 }]
`

test('routing: timeouts end what takes too long, and retries go by the codes that are listed', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    route(`
    - matches: [{ path: { value: /slow } }]
      timeouts: { request: 300ms }
      backendRefs: [{ name: web, port: 80 }]
    - matches: [{ path: { value: /status } }]
      retry: { codes: [503], attempts: 2, backoff: 200ms }
      backendRefs: [{ name: web, port: 80 }]`),
  )
  await world.curlUntil(client, 'http://web/slow/2000', 504)
  assert.equal((await world.curl(client, 'http://web/slow/10')).status, 200)
  const tookMs = async (path: string, method = 'GET'): Promise<number> => {
    const startMs = performance.now()
    await world.curl(client, `http://web${path}`, { method })
    return performance.now() - startMs
  }
  assert.ok((await tookMs('/status/503')) >= 400, 'two waits of at least 200 ms')
  assert.ok((await tookMs('/status/500')) < 400, 'not listed')
  assert.ok((await tookMs('/status/503', 'POST')) < 400, 'not idempotent')
})

test('routing: a mirror gets copies, body and all, and its death costs the original nothing', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  const next = await world.run('next')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    route(`
    - matches: [{ path: { value: /copied } }]
      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: next, port: 80 } } }]
      backendRefs: [{ name: web, port: 80 }]`),
  )
  const copies = async (): Promise<number> => {
    const { body } = await world.curl(undefined, `http://127.0.0.1:${next.port}/seen`)
    return (JSON.parse(body) as { seen: readonly string[] }).seen.filter((one) => one.startsWith('POST /copied')).length
  }
  const post = { method: 'POST', body: 'x'.repeat(100_000) }
  await until('a copy comes', async () => {
    assert.equal((await world.curl(client, 'http://web/copied', post)).status, 200)
    return (await copies()) > 0
  })
  const { body } = await world.curl(undefined, `http://127.0.0.1:${next.port}/seen`)
  assert.match(body, /POST \/copied web-shadow 100000/)
  await next.stop()
  const startMs = performance.now()
  assert.equal((await world.curl(client, 'http://web/copied', post)).status, 200)
  assert.ok(performance.now() - startMs < 2000)
})

test('routing: headers are edited, URLs rewritten, callers sent elsewhere', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    route(`
    - name: headers
      matches: [{ path: { value: /headers } }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier:
            set: [{ name: X-Set, value: 'rule 50%' }]
            add: [{ name: X-Add, value: second }]
            remove: [X-Gone]
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: X-Reply, value: 'yes' }] } }
      backendRefs:
        - name: web
          port: 80
          filters:
            - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Backend, value: web }] } }
    - matches: [{ path: { value: /strip } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]
      backendRefs: [{ name: web, port: 80 }]
    - matches: [{ path: { value: /old } }]
      filters:
        - type: URLRewrite
          urlRewrite: { hostname: inner.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } }
      backendRefs: [{ name: web, port: 80 }]
    - matches: [{ path: { value: /secure } }]
      filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, statusCode: 301 } }]
    - matches: [{ path: { value: /moved } }]
      filters:
        - type: RequestRedirect
          requestRedirect: { hostname: new.example, port: 8083, path: { type: ReplaceFullPath, replaceFullPath: /here } }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { add: [{ name: cache-control, value: no-store }] } }
    - matches: [{ path: { value: /shared } }]
      filters: [{ type: CORS, cors: { allowOrigins: ['https://*.shop.example'], allowMethods: [PUT] } }]
      backendRefs: [{ name: web, port: 80 }]
    - matches: [{ path: { value: /half } }]
      backendRefs: [{ name: nobody, port: 80 }, { name: nobody-else, port: 80 }]`),
  )
  await world.curlUntil(client, 'http://web/secure', 301)
  const echo = async (path: string, headers: readonly string[] = []): Promise<Echo> =>
    JSON.parse((await world.curl(client, `http://web${path}`, { headers })).body) as Echo
  const { headers } = await echo('/headers', ['X-Set: mine', 'X-Add: first', 'X-Gone: here'])
  assert.equal(headers['x-set'], 'rule 50%')
  assert.equal(headers['x-add'], 'first, second')
  assert.equal(headers['x-gone'], undefined)
  assert.equal(headers['x-backend'], 'web')
  assert.deepEqual((await world.curl(client, 'http://web/headers')).headers['x-reply'], ['yes'])
  assert.equal((await echo('/strip?q=1')).path, '/?q=1')
  assert.equal((await echo('/strip/a')).path, '/a')
  const rewritten = await echo('/old/a?q=1')
  assert.deepEqual([rewritten.path, rewritten.headers['host']], ['/new/a?q=1', 'inner.example'])

  const locationOf = async (path: string): Promise<unknown> => {
    const { status, headers: fields } = await world.curl(client, `http://web${path}`)
    return [status, fields['location']?.[0], fields['cache-control']?.[0]]
  }
  assert.deepEqual(await locationOf('/secure?q=1'), [301, 'https://web/secure?q=1', undefined])
  assert.deepEqual(await locationOf('/moved/away'), [302, 'http://new.example:8083/here', 'no-store'])
  const preflight = async (origin: string): Promise<unknown> => {
    const asked = [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT']
    const { status, headers: fields } = await world.curl(client, 'http://web/shared', {
      method: 'OPTIONS',
      headers: asked,
    })
    return [status, fields['access-control-allow-origin']?.[0], fields['access-control-allow-methods']?.[0]]
  }
  assert.deepEqual(await preflight('https://www.shop.example'), [200, 'https://www.shop.example', 'PUT'])
  assert.deepEqual(await preflight('https://shop.example.evil'), [200, undefined, undefined])
  assert.equal((await world.curl(client, 'http://web/half')).status, 500, 'of two backends none exists')
})

test('routing: another namespace is used with its grant only, and has routes of its own for what it calls', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const shopper = await world.run('shopper', { port: 0, namespace: 'shop' })
  await world.run('web')
  await world.run('pay', { namespace: 'bank' })
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    route(`
    - matches: [{ path: { value: /pay } }]
      backendRefs: [{ name: pay, namespace: bank, port: 80 }]`),
  )
  await world.curlUntil(client, 'http://web/pay', 500)
  const conditions = async (): Promise<string> => (await world.weft(['describe', 'httproute', 'web'])).out
  assert.match(await conditions(), /RefNotPermitted/)
  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: web, namespace: bank }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }]
  to: [{ group: '', kind: Service, name: pay }]
`)
  const { body } = await world.curlUntil(client, 'http://web/pay', 200)
  assert.equal((JSON.parse(body) as Echo).name, 'pay')
  assert.doesNotMatch(await conditions(), /RefNotPermitted/)

  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs: [{ group: '', kind: Service, name: web, namespace: default }]
  rules:
    - filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: X-For, value: shop }] } }]
      backendRefs: [{ name: web, namespace: default, port: 80 }]
`)
  await until('the shop has its own routes', async () => {
    const reply = await world.curl(shopper, 'http://web.default/pay')
    return reply.headers['x-for']?.[0] === 'shop' && (JSON.parse(reply.body) as Echo).name === 'web'
  })
  const other = await world.curl(client, 'http://web.default/pay')
  assert.equal(other.headers['x-for'], undefined)
  assert.equal((JSON.parse(other.body) as Echo).name, 'pay')
})

test('routing: backends with a path or a redirect of their own get their shares of a split', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.apply(
    route(`
    - matches: [{ path: { value: /a } }]
      backendRefs:
        - { name: web, port: 80, weight: 2 }
        - name: web
          port: 80
          weight: 1
          filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /b } } }]
        - name: web
          port: 80
          weight: 1
          filters: [{ type: RequestRedirect, requestRedirect: { hostname: old.example, statusCode: 301 } }]`),
  )
  await until('the route is there', async () =>
    (await world.curl(client, 'http://web/a/1')).body.includes('"path":"/b/1"'),
  )
  const seen = new Map<string, number>()
  for (const { status, body } of await world.curlEach(
    client,
    Array.from({ length: 400 }, () => 'http://web/a/1'),
  )) {
    const what = status === 301 ? 'redirect' : (JSON.parse(body) as Echo).path
    seen.set(what, (seen.get(what) ?? 0) + 1)
  }
  for (const [what, share] of [
    ['/a/1', 200],
    ['/b/1', 100],
    ['redirect', 100],
  ] as const)
    assert.ok(
      Math.abs((seen.get(what) ?? 0) - share) < 50,
      `${what}: ${seen.get(what)} of 400, expected about ${share}`,
    )
  const { out } = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/a/1'])
  assert.match(out, /takes 25 % of such calls/)
})
