import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { runToEnd } from '../world/child.ts'
import type { CurlOptions, CurlReply } from '../world/curl.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

// The same cases for every pair of proxies: what a mesh answers must not depend on whose they are.
const { binary, skip } = realEnvoy()
const proxies = {
  weft: [],
  envoy: ['--proxy', 'envoy', '--envoy-path', binary],
} as const
type ProxyKind = keyof typeof proxies
const kinds = Object.keys(proxies) as ProxyKind[]

/** The services of one kind: two instances of `web-…`, one of `alt-…`, one that speaks gRPC. */
interface Callees {
  readonly web: string
  readonly alt: string
  readonly grpc: string
  readonly instances: readonly Workload[]
  readonly other: Workload
}

const routes = (kind: ProxyKind): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web-${kind} }
spec:
  parentRefs: [{ group: '', kind: Service, name: web-${kind} }]
  rules:
    - matches: [{ headers: [{ name: x-user, value: tester }] }, { path: { type: Exact, value: /exact } }]
      backendRefs: [{ name: alt-${kind}, port: 80 }]
    - matches: [{ path: { value: /split } }]
      backendRefs: [{ name: web-${kind}, port: 80, weight: 75 }, { name: alt-${kind}, port: 80, weight: 25 }]
    - matches: [{ path: { value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { statusCode: 301, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }]
    - matches: [{ path: { value: /rewrite } }]
      filters: [{ type: URLRewrite, urlRewrite: { hostname: other.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: /as } } }]
      backendRefs: [{ name: web-${kind}, port: 80 }]
    - matches: [{ path: { value: /edit } }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: x-set, value: new }], add: [{ name: x-add, value: second }], remove: [x-remove] }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-answer, value: edited }], remove: [content-type] } }
      backendRefs: [{ name: web-${kind}, port: 80 }]
    - matches: [{ path: { value: /mirror } }]
      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: alt-${kind}, port: 80 } } }]
      backendRefs: [{ name: web-${kind}, port: 80 }]
    - matches: [{ path: { value: /status } }]
      retry: { codes: [503], attempts: 2, backoff: 10ms }
      backendRefs: [{ name: web-${kind}, port: 80 }]
    - matches: [{ path: { value: /slow } }]
      timeouts: { request: 400ms }
      backendRefs: [{ name: web-${kind}, port: 80 }]
    - backendRefs: [{ name: web-${kind}, port: 80 }]
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web-${kind} }
spec:
  targetRefs: [{ kind: Service, name: web-${kind} }]
  loadBalancing: { algorithm: RingHash, hashOn: [{ header: x-shopper }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: web-${kind} }
spec:
  selector: { matchLabels: { app: web-${kind} } }
  action: DENY
  rules:
    - { to: [{ operation: { paths: [/admin*] } }] }
    - { from: [{ source: { notPrincipals: [weft.local/ns/default/sa/caller] } }], to: [{ operation: { paths: [/members] } }] }
`
const limit = (service: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: limit-${service} }
spec: { targetRefs: [{ kind: Service, name: ${service} }], rateLimits: [{ requests: 2, unit: Day, per: Caller }] }
`

/** What the echo program saw. */
interface Echo {
  readonly name: string
  readonly pid: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** One caller and the services of one kind. */
interface Pair {
  readonly world: World
  readonly from: Workload
  readonly to: Callees
  /** All that there are. */
  readonly callers: readonly Workload[]
  /** In paths, so that what was seen can be told apart. */
  readonly mark: string
  readonly ask: (path: string, options?: CurlOptions) => Promise<CurlReply>
  /** Of an answer with 200. */
  readonly echo: (path: string, options?: CurlOptions) => Promise<Echo>
}

const cases: Readonly<Record<string, (pair: Pair) => Promise<void>>> = {
  async 'a header decides, any case of its name'({ echo, to }) {
    assert.equal((await echo('/', { headers: ['X-User: tester'] })).name, to.alt)
    assert.equal((await echo('/', { headers: ['X-User: testers'] })).name, to.web)
  },
  async 'an exact path goes before a prefix'({ echo, to }) {
    assert.equal((await echo('/exact')).name, to.alt)
    assert.equal((await echo('/exact/')).name, to.web)
    assert.equal((await echo('/exact?x=1')).name, to.alt)
  },
  async 'weights are kept'({ world, from, to }) {
    const count = 400
    const replies = await world.curlEach(from, Array<string>(count).fill(`http://${to.web}/split`))
    const other = replies.filter(({ body }) => body.includes(`"name":"${to.alt}"`)).length
    assert.ok(replies.every(({ status }) => status === 200))
    // Five standard deviations of 400 throws.
    assert.ok(Math.abs(other - count / 4) < 44, `${other} of ${count}`)
  },
  async 'a redirect is answered by the caller’s proxy'({ ask, to }) {
    const { status, headers } = await ask('/old/x?y=1')
    assert.deepEqual([status, headers['location']], [301, [`http://${to.web}/new/x?y=1`]])
  },
  async 'path and host are rewritten'({ echo }) {
    const { path: seen, headers } = await echo('/rewrite/x?y=1')
    assert.deepEqual([seen, headers['host']], ['/as/x?y=1', 'other.example'])
  },
  async 'headers are set, added and removed on the way there and back'({ ask }) {
    const sent = ['X-Set: old', 'X-Add: first', 'X-Remove: gone']
    const { body, headers } = await ask('/edit', { headers: sent })
    const { headers: seen } = JSON.parse(body) as Echo
    assert.deepEqual([seen['x-set'], seen['x-add'], seen['x-remove']], ['new', 'first, second', undefined])
    assert.deepEqual([headers['x-answer'], headers['content-type']], [['edited'], undefined])
  },
  async 'a mirror gets a copy'({ world, echo, to, mark }) {
    assert.equal((await echo(`/mirror/${mark}`)).name, to.web)
    await until('the copy has come', async () => (await seenBy(world, to.other)).some((one) => one.includes(mark)))
  },
  async 'a 503 is tried again for GET, not for POST'({ world, ask, to, mark }) {
    const tries = async (method: string): Promise<number> => {
      const { status } = await ask(`/status/503?${mark}`, { method })
      assert.equal(status, 503)
      const seen = (await Promise.all(to.instances.map((one) => seenBy(world, one)))).flat()
      return seen.filter((one) => one.startsWith(`${method} /status/503?${mark} `)).length
    }
    assert.equal(await tries('GET'), 3)
    assert.equal(await tries('POST'), 1)
  },
  async 'a timeout ends what takes too long'({ ask }) {
    const startMs = performance.now()
    assert.equal((await ask('/slow/3000')).status, 504)
    assert.ok(performance.now() - startMs < 2500)
    assert.equal((await ask('/slow/20')).status, 200)
  },
  async 'identities decide: who is named may, others and nobody may not'({ world, ask, echo, to }) {
    const { headers } = await echo('/members')
    assert.match(headers['x-forwarded-client-cert'] ?? '', /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/caller$/)
    assert.equal((await ask('/admin/x')).status, 403)
    const inbound = await inboundOf(world, to.instances[0])
    assert.equal((await world.curl(undefined, `http://${inbound}/members`)).status, 403, 'plain text has no identity')
    assert.equal((await world.curl(undefined, `http://${inbound}/anything`)).status, 200)
  },
  async 'who says who they are stays with one instance'({ echo, to }) {
    const instance = (shopper: number) => echo('/', { headers: [`x-shopper: ${shopper}`] }).then(({ pid }) => pid)
    const first = await instance(1)
    for (let count = 0; count < 6; count++) assert.equal(await instance(1), first)
    const all = new Set<number>()
    for (let shopper = 2; shopper < 20; shopper++) all.add(await instance(shopper))
    assert.equal(all.size, to.instances.length)
  },
  async 'a rate limit answers 429, with the time to wait'({ world, from, to, callers }) {
    await applied(world, limit(to.alt))
    // An Envoy lets connections that are open go on by the old rules for a second.
    const refused = await world.curlUntil(from, `http://${to.alt}/`, 429)
    assert.equal(refused.headers['x-ratelimit-limit']?.[0]?.split(',')[0], '2')
    assert.ok(Number(refused.headers['retry-after']?.[0]) > 1000)
    assert.equal((await world.weft(['delete', 'trafficpolicy', `limit-${to.alt}`])).status, 0)
    for (const caller of callers)
      await until('the limit is gone', async () => {
        const { status, headers } = await world.curl(caller, `http://${to.alt}/`)
        return status === 200 && headers['x-ratelimit-limit'] === undefined
      })
  },
  async 'gRPC: all four kinds of call, statuses, deadlines, cancellation'({ from, to }) {
    const program = path.join(import.meta.dirname, '../interop/grpc/client.mjs')
    const place = { env: from.env, cwd: path.dirname(program), withinMs: 60_000 }
    const { status, out, err } = await runToEnd([process.execPath, program, `${to.grpc}:50051`], place)
    assert.equal(status, 0, err)
    assert.deepEqual(JSON.parse(out), {
      unary: [0, 'hello', `${to.grpc} a`, '00ff'],
      large: true,
      collect: ['20 200000', '00ff'],
      count: [0, 100, true, '00ff'],
      chat: [0, 20, '00ff'],
      fail: [9, 'öre 100 %'],
      unknown: 12,
      deadline: 4,
      cancel: 1,
      // Of this pair's call and of those of the pairs before.
      cancelled: (JSON.parse(out) as { cancelled: number }).cancelled,
    })
  },
}

test('Envoy and Weft give the same answers, whoever calls whom', { skip, timeout: 280_000 }, async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const callers = await Promise.all(
    kinds.map((kind) =>
      world.run(`caller-${kind}`, { port: 0, args: ['--service-account', 'caller', ...proxies[kind]] }),
    ),
  )
  const callees = await Promise.all(kinds.map((kind) => startCallees(world, kind)))
  await applied(world, kinds.map(routes).join('---'))
  for (const [at, from] of callers.entries())
    for (const [index, to] of callees.entries())
      await t.test(`${kinds[at]} → ${kinds[index]}`, async (pairTest) => {
        const mark = `m${at}${index}`
        const ask = (where: string, options?: CurlOptions): Promise<CurlReply> =>
          world.curl(from, `http://${to.web}${where}`, options)
        const echo = async (where: string, options?: CurlOptions): Promise<Echo> => {
          const reply = await ask(where, options)
          assert.equal(reply.status, 200, `${reply.body}${reply.error}`)
          return JSON.parse(reply.body) as Echo
        }
        await world.curlUntil(from, `http://${to.web}/`, 200)
        for (const [name, check] of Object.entries(cases))
          await pairTest.test(name, () => check({ world, from, to, callers, mark, ask, echo }))
      })
  for (const [index, to] of callees.entries())
    await t.test(
      `of two instances beside ${kinds[index]} one program is killed, and no GET of anybody fails`,
      async () => {
        const loads = callers.map(({ proxy }) =>
          startSteadyLoad(`http://${to.web}/slow/100`, { proxy, ratePerSecond: 40 }),
        )
        await Promise.all(loads.map((load) => load.more(20)))
        process.kill(to.instances[0]?.programPid ?? 0, 'SIGKILL')
        await Promise.all(loads.map((load) => load.more(120)))
        await Promise.all(loads.map((load) => load.stop()))
        assert.deepEqual(
          loads.map((load) => load.failures()),
          [[], []],
        )
        assert.equal(await to.instances[0]?.child.ended, 137)
      },
    )
})

test(
  'a service with instances beside Envoy and beside Weft is one service to callers of both kinds',
  { skip },
  async (t) => {
    if (!requires(t, 'curl', 'linux')) return
    const world = createWorld(t)
    await world.up()
    const [web, ...callers] = await Promise.all([
      world.run('web', { says: 'weft' }),
      ...kinds.map((kind) => world.run(`caller-${kind}`, { port: 0, args: proxies[kind] })),
    ])
    const second = await world.run('web', { says: 'envoy', args: proxies.envoy })
    const names = async (from: Workload): Promise<string> => {
      const replies = await world.curlEach(from, Array<string>(30).fill('http://web/'))
      for (const { status, body } of replies) assert.equal(status, 200, body)
      return [...new Set(replies.map(({ body }) => (JSON.parse(body) as Echo).name))].toSorted().join()
    }
    for (const from of callers) await until('both instances answer', async () => (await names(from)) === 'envoy,weft')
    const loads = callers.map(({ proxy }) => startSteadyLoad('http://web/', { proxy, ratePerSecond: 50 }))
    await Promise.all(loads.map((load) => load.more(20)))
    assert.equal(await second.stop(), 0)
    for (const from of callers) assert.equal(await names(from), 'weft')
    const third = await world.run('web', { says: 'envoy', args: proxies.envoy })
    for (const from of callers) await until('both instances answer', async () => (await names(from)) === 'envoy,weft')
    assert.equal(await web?.stop(), 0)
    for (const from of callers) assert.equal(await names(from), 'envoy')
    await Promise.all(loads.map((load) => load.stop()))
    assert.deepEqual(
      loads.map((load) => load.failures()),
      [[], []],
      'leaving is announced before it happens',
    )
    assert.ok(third.child.isRunning)
  },
)

async function startCallees(world: World, kind: ProxyKind): Promise<Callees> {
  const [web, alt, grpc] = [`web-${kind}`, `alt-${kind}`, `grpc-${kind}`]
  const args = proxies[kind]
  const grpcPort = await freePort()
  const server = path.join(import.meta.dirname, '../interop/grpc/server.mjs')
  const [first, second, other] = await Promise.all([
    world.run(web, { args }),
    world.run(web, { args }),
    world.run(alt, { args }),
    world.run(grpc, {
      port: 0,
      args: ['--port', `50051=${grpcPort}/grpc`, ...args],
      command: (report) => [process.execPath, server, grpc, String(grpcPort), report],
    }),
  ])
  return { web, alt, grpc, instances: [first, second], other }
}

async function applied(world: World, yaml: string): Promise<void> {
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: yaml })
  assert.equal(status, 0, `${out}${err}`)
}

/** Method, path and more of each request that this program has seen. */
async function seenBy(world: World, { port }: Workload): Promise<readonly string[]> {
  const { body } = await world.curl(undefined, `http://127.0.0.1:${port}/seen`)
  return (JSON.parse(body) as { seen: readonly string[] }).seen
}

/** Where its sidecar takes calls. */
async function inboundOf(world: World, workload: Workload | undefined): Promise<string> {
  const { out } = await world.weft(['get', 'workload', workload?.name ?? '', '-o', 'json'])
  const { spec } = JSON.parse(out) as { spec: { ports: [{ inbound: { address: string; port: number } }] } }
  return `${spec.ports[0].inbound.address}:${spec.ports[0].inbound.port}`
}
