import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { freePort } from '../world/free-port.ts'
import { startLimiter } from '../world/programs/limiter.ts'
import { createWorld } from '../world/world.ts'

const policy = (limits: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: limits }
spec: { targetRefs: [{ kind: Service, name: web }], rateLimits: ${limits} }
`

test('rate limits: each caller has its own count at the called sidecar, which survives changes; told, explained, counted', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const other = await world.run('other', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(policy('[{ requests: 3, unit: Day, per: Caller }]'))
  await world.curlUntil(client, 'http://web/', 429)
  const refused = await world.curl(client, 'http://web/')
  assert.equal(refused.headers['x-weft-fault']?.[0], 'rate-limited')
  assert.equal(refused.headers['x-ratelimit-limit']?.[0], '3')
  assert.equal(refused.headers['x-ratelimit-remaining']?.[0], '0')
  assert.ok(Number(refused.headers['retry-after']?.[0]) > 20_000, 'a third of a day')
  assert.match(refused.body, /default\/limits\/limit-0 \(3 a day, 3 at once\)/)

  const fresh = await world.curl(other, 'http://web/')
  assert.equal(fresh.status, 200)
  assert.equal(fresh.headers['x-ratelimit-remaining']?.[0], '2')
  const told = await world.weft(['explain', '--from', 'other', 'GET', 'http://web/'])
  assert.match(told.out, /limit +✓ default\/limits\/limit-0: 2 of 3 left for this caller, 3 a day +\(TrafficPolicy/)
  const spent = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])
  assert.match(spent.out, /limit +✗ default\/limits\/limit-0: 0 of 3 left/)
  assert.match(spent.out, /answer +429 /)

  await world.apply(policy('[{ requests: 4, unit: Day, per: Caller }]'))
  await until('the new limit holds', async () => {
    const { headers } = await world.curl(client, 'http://web/')
    return headers['x-ratelimit-limit']?.[0] === '4'
  })
  const codes = new Set<number>()
  for (let n = 0; n < 3; n++) codes.add((await world.curl(client, 'http://web/')).status)
  assert.deepEqual([...codes], [429], 'what was counted stays counted')
  const metrics = await world.curl(undefined, `${web.adminUrl}/metrics`)
  assert.match(metrics.body, /weft_rate_limited_total\{limit="default\/limits\/limit-0"\} \d+/)
  assert.match(metrics.body, /weft_requests_total\{[^}]*status="429"[^}]*flags="RL"/)

  await world.apply(policy('[]'))
  await world.curlUntil(client, 'http://web/', 200)
})

const routes = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - name: search
      matches: [{ path: { type: PathPrefix, value: /find } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /search } } }]
      backendRefs: [{ name: web, port: 80 }]
    - name: free
      matches: [{ path: { type: PathPrefix, value: /free } }]
      backendRefs: [{ name: web, port: 80 }]
    - backendRefs: [{ name: web, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ matches: [{ path: { type: PathPrefix, value: /free/edge } }], backendRefs: [{ name: web, port: 80 }] }]
---
`
const forRoute = (name: string, target: string, limits: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name} }
spec: { targetRefs: [{ kind: HTTPRoute, ${target} }], rateLimits: ${limits} }
---
`

test('rate limits of routes: the called sidecar tells their calls apart, whichever way they come; a gateway counts itself', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [client, edge, web] = await Promise.all([
    world.run('client', { port: 0 }),
    world.gateway('edge'),
    world.run('web'),
  ])
  await world.apply(
    policy('[{ requests: 1000, unit: Day }]') +
      `---\n${routes}` +
      forRoute('search', 'name: web, sectionName: search', '[{ requests: 2, unit: Day }]') +
      forRoute('free', 'name: web, sectionName: free', '[]') +
      forRoute('edge', 'name: edge', '[{ requests: 3, unit: Day, per: { header: x-user } }]'),
  )
  const limitOf = async (path: string): Promise<string | undefined> =>
    (await world.curl(client, `http://web${path}`)).headers['x-ratelimit-limit']?.[0]
  await until('a rule has its own limit', async () => (await limitOf('/find/a')) === '2')
  await world.curlUntil(client, 'http://web/find/a', 429)
  assert.equal((await world.curl(client, 'http://web/search/b')).status, 429, 'past the route the count is the same')
  assert.equal(await limitOf('/free/a'), undefined, 'none at all')
  assert.equal(await limitOf('/other'), '1000', 'the limit of the Service')
  const told = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/find/a'])
  assert.match(
    told.out,
    /limit +✗ default\/search\/limit-0: 0 of 2 left.*TrafficPolicy default\/search spec\.rateLimits/,
  )
  const metrics = await world.curl(undefined, `${web.adminUrl}/metrics`)
  assert.match(metrics.body, /weft_rate_limited_total\{limit="default\/search\/limit-0"\} \d+/)

  const at = `http://${edge.address}/free/edge`
  const as = (user: string) => ({ headers: [`x-user: ${user}`] })
  await world.curlUntil(undefined, at, 429, as('ann'))
  assert.equal((await world.curl(undefined, at, as('bob'))).headers['x-ratelimit-remaining']?.[0], '2')
  const there = await world.weft(['explain', '--from', 'edge', 'GET', at, '-H', 'x-user: ann'])
  assert.match(there.out, /limit +✗ default\/edge\/limit-0: 0 of 3 left/)
  assert.match(there.out, /answer +429 /)
})

const limiterAt = (port: number): string => `
apiVersion: v1
kind: Service
metadata: { name: limiter }
spec: { ports: [{ name: grpc, port: 8081, appProtocol: grpc }] }
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: limiter-1 }
spec: { service: limiter, serviceAccount: limiter, address: 127.0.0.1, ports: [{ name: grpc, servicePort: 8081, targetPort: ${port}, protocol: grpc }] }
---
`
const asking = (failureMode: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: asking }
spec:
  targetRefs: [{ kind: Service, name: web }]
  externalRateLimit:
    backendRef: { name: limiter, port: 8081 }
    domain: shop
    timeout: 200ms
    failureMode: ${failureMode}
    descriptors: [{ entries: [{ key: route, value: all }, { header: X-User }] }]
`

test('rate limits: a limiter that somebody else runs is asked and obeyed; without it the policy says what happens', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [client, web] = await Promise.all([world.run('client', { port: 0 }), world.run('web')])
  const limiter = await startLimiter(await freePort(), { limit: 2 })
  t.after(() => limiter.stop())
  await world.apply(limiterAt(limiter.port) + asking('Open'))
  const as = (user: string) => world.curl(client, 'http://web/', { headers: [`x-user: ${user}`] })
  await until('it is asked', async () => (await as('first')).headers['x-limiter'] !== undefined)
  const [one, two, three] = [await as('ann'), await as('ann'), await as('ann')]
  assert.deepEqual([one.status, two.status, three.status], [200, 200, 429])
  assert.equal(two.headers['x-ratelimit-remaining']?.[0], '0')
  assert.equal(three.headers['x-weft-fault']?.[0], 'over-limit')
  assert.match(one.body, /"x-passed":"limiter"/, 'what the limiter adds reaches the program')
  assert.equal((await world.curl(client, 'http://web/')).status, 200, 'nothing of this request is for it')
  assert.ok(limiter.asked.includes('shop: route=all,x-user=ann'))
  const asked = limiter.asked.length
  const told = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/', '-H', 'x-user: ann'])
  assert.match(told.out, /limiter +default\/limiter\/8081 is asked about route=all, x-user=ann \(domain shop/)
  assert.equal(limiter.asked.length, asked, 'explain asks nobody')

  limiter.stop()
  await until('it passes without', async () => (await as('ann')).status === 200)
  await world.apply(asking('Closed'))
  await until('nothing passes without', async () => (await as('ann')).status === 503)
  assert.equal((await as('ann')).headers['x-weft-fault']?.[0], 'limiter-failed')
  const metrics = await world.curl(undefined, `${web.adminUrl}/metrics`)
  assert.match(metrics.body, /weft_external_limits_total\{domain="shop",outcome="over-limit"\} 1/)
  assert.match(metrics.body, /weft_external_limits_total\{domain="shop",outcome="failed"\} [1-9]/)
})

const routesAsking = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: search }
spec:
  targetRefs: [{ kind: HTTPRoute, name: web, sectionName: search }]
  externalRateLimit: { backendRef: { name: limiter, port: 8081 }, domain: search, timeout: 200ms, descriptors: [{ entries: [{ header: X-User }] }] }
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: free }
spec: { targetRefs: [{ kind: HTTPRoute, name: web, sectionName: free }], externalRateLimit: false }
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: edge }
spec:
  targetRefs: [{ kind: Gateway, name: edge }]
  externalRateLimit: { backendRef: { name: limiter, port: 8081 }, domain: edge, timeout: 200ms, descriptors: [{ entries: [{ header: X-User, key: at-edge }] }] }
`

test('rate limits: a limiter is asked about the calls of a rule in words of its own, not about those of another, and by a gateway', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [client, edge] = await Promise.all([world.run('client', { port: 0 }), world.gateway('edge'), world.run('web')])
  const limiter = await startLimiter(await freePort(), { limit: 2 })
  t.after(() => limiter.stop())
  await world.apply(`${limiterAt(limiter.port)}${routes}${asking('Open')}---${routesAsking}`)
  const as = (path: string, user: string) => world.curl(client, `http://web${path}`, { headers: [`x-user: ${user}`] })
  await until('the rule is asked about', async () => {
    await as('/find', 'first')
    return limiter.asked.includes('search: x-user=first')
  })
  limiter.asked.length = 0
  const codes = []
  for (const path of ['/find', '/search', '/find', '/free', '/other']) codes.push((await as(path, 'ann')).status)
  assert.deepEqual(codes, [200, 200, 429, 200, 200])
  const search = 'search: x-user=ann'
  assert.deepEqual(limiter.asked, [search, search, search, 'shop: route=all,x-user=ann'])
  const told = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/find', '-H', 'x-user: ann'])
  assert.match(told.out, /limiter +default\/limiter\/8081 is asked about x-user=ann \(domain search/)
  const free = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/free', '-H', 'x-user: ann'])
  assert.doesNotMatch(free.out, /is asked about/)

  const at = `http://${edge.address}/free/edge`
  const by = (user: string) => world.curl(undefined, at, { headers: [`x-user: ${user}`] })
  await until('the gateway asks', async () => (await by('first')).headers['x-limiter'] !== undefined)
  limiter.asked.length = 0
  const [one, two, three] = [await by('ann'), await by('ann'), await by('ann')]
  assert.deepEqual([one.status, two.status, three.status], [200, 200, 429])
  assert.deepEqual(
    new Set(limiter.asked),
    new Set(['edge: at-edge=ann']),
    'and the sidecar behind it does not ask again',
  )
  const there = await world.weft(['explain', '--from', 'edge', 'GET', at, '-H', 'x-user: ann'])
  assert.match(there.out, /is asked about at-edge=ann \(domain edge/)

  limiter.stop()
  await until('it passes without', async () => (await as('/find', 'ann')).status === 200)
})
