import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import path from 'node:path'
import type { TestContext } from 'node:test'
import type { ApplyResult } from '../../src/control/api/contract.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad, type SteadyLoad, type WholeReply } from '../world/steady-load.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

/** How much is asked while configuration changes. */
export interface Changing {
  /** Clients, each with a sidecar of its own; two more are the service's. */
  readonly callers: number
  /** Of all callers together. */
  readonly ratePerSecond: number
  /** Edits: by turns of the route, the TrafficPolicy, the AuthorizationPolicy, and of all three at once. */
  readonly edits: number
}

/** Number of the edit that each resource has come from. */
interface Edits {
  readonly route: number
  readonly traffic: number
  readonly authorization: number
}

const services = ['v1', 'v2']
  .map(
    (version) => `
apiVersion: v1
kind: Service
metadata: { name: web-${version} }
spec: { selector: { app: web, version: ${version} }, ports: [{ name: http, port: 80 }] }
`,
  )
  .join('---')

const backendOf = (edit: number): string => `v${1 + (edit % 2)}`

/** Backend and the headers of both directions belong together. */
const route = (edit: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - filters:
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-edit, value: '${edit}' }] } }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-edit, value: '${edit}' }] } }
      backendRefs: [{ name: web-${backendOf(edit)}, port: 80 }]
`

/** The program is told how long its caller waits: so many minutes as there were edits. */
const traffic = (edit: number): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: web }]
  timeouts: { request: ${edit}m }
`

/** Of the paths `/edit/N` the newest alone is allowed; the load's own always is. */
const authorization = (edit: number): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  action: ALLOW
  rules: [{ to: [{ operation: { paths: [/, /edit/${edit}] } }] }]
`

const first: Edits = { route: 1, traffic: 1, authorization: 1 }

/** Who is changed by edit number `edit`, and what is to be applied. */
function nextEdit(before: Edits, edit: number): { readonly edits: Edits; readonly yaml: string } {
  const turns = [
    { yaml: route(edit), edits: { ...before, route: edit } },
    { yaml: traffic(edit), edits: { ...before, traffic: edit } },
    { yaml: authorization(edit), edits: { ...before, authorization: edit } },
  ]
  const all = {
    yaml: turns.map(({ yaml }) => yaml).join('---'),
    edits: { route: edit, traffic: edit, authorization: edit },
  }
  return turns[edit % 4] ?? all
}

/** "ROUTE TRAFFIC" of the configuration that answered, or what was seen when one answer comes of two. */
function configurationOf({ headers, body }: WholeReply): string {
  const seen = JSON.parse(body) as { name: string; headers: Record<string, string> }
  const edit = String(headers['x-edit'])
  if (seen.headers['x-edit'] !== edit || seen.name !== backendOf(Number(edit)))
    return `a mixture: response of edit ${edit}, request of edit ${seen.headers['x-edit']}, backend ${seen.name}`
  return `${edit} ${Math.ceil(Number(seen.headers['x-envoy-expected-rq-timeout-ms']) / 60_000)}`
}
const configuration = ({ route: ofRoute, traffic: ofTraffic }: Edits): string => `${ofRoute} ${ofTraffic}`

/** One change, on the clock of `performance.now`. */
interface Applied {
  readonly edits: Edits
  readonly by: 'command' | 'API'
  readonly startMs: number
  readonly returnedMs: number
}

/**
 * Edits a route, a TrafficPolicy and an AuthorizationPolicy again and again under load. No call may fail, no answer come of two
 * configurations, and none that was asked for after `apply --wait` had returned of an old one, at any sidecar.
 */
export async function changeUnderLoad(t: TestContext, { callers, ratePerSecond, edits }: Changing): Promise<void> {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await Promise.all(['v1', 'v2'].map((version) => world.run('web', { labels: [`version=${version}`], says: version })))
  const clients: Workload[] = []
  // Four at a time: a machine that starts twenty at once takes too long for each.
  for (let index = 0; index < callers; index += 4) {
    const names = Array.from({ length: Math.min(4, callers - index) }, (_, more) => `client-${index + more}`)
    clients.push(...(await Promise.all(names.map((name) => world.run(name, { port: 0 })))))
  }
  await applyByCommand(world, [services, route(1), traffic(1), authorization(1)].join('---'))
  for (const client of clients) await world.curlUntil(client, 'http://web/edit/1', 200)
  const loads = clients.map(({ proxy }, index) =>
    startSteadyLoad('http://web/', {
      proxy,
      ratePerSecond: ratePerSecond / callers,
      firstAfterMs: (1000 * index) / ratePerSecond,
      tell: configurationOf,
    }),
  )
  await settle(loads)

  const history: Applied[] = [{ edits: first, by: 'command', startMs: 0, returnedMs: 0 }]
  for (let edit = 2; edit < 2 + edits; edit++) {
    const before = history.at(-1)?.edits ?? first
    const next = nextEdit(before, edit)
    const by = edit % 8 < 4 ? 'API' : 'command'
    const startMs = performance.now()
    await (by === 'API' ? applyByApi : applyByCommand)(world, next.yaml)
    history.push({ edits: next.edits, by, startMs, returnedMs: performance.now() })
    await Promise.all(clients.map((client) => assertAllowed(client, before, next.edits)))
    await settle(loads)
  }
  for (const load of loads) {
    await load.stop()
    assert.deepEqual(load.failures(), [])
    assertInForce(load, history)
  }
  tell(t, loads, history)
}

/** So that every sidecar has answered by what is in force. */
const settle = (loads: readonly SteadyLoad[]): Promise<unknown> => Promise.all(loads.map((load) => load.more(5)))

async function applyByCommand(world: World, yaml: string): Promise<void> {
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: yaml })
  assert.equal(status, 0, `${out}${err}`)
}

/** What the command does once it has started. */
async function applyByApi({ dataDir }: World, yaml: string): Promise<void> {
  const request = http.request({
    socketPath: path.join(dataDir, 'api.sock'),
    method: 'POST',
    path: '/v1/apply?waitMs=30000',
    headers: { host: 'localhost' },
  })
  request.end(yaml)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const body = (await response.setEncoding('utf8').toArray()).join('')
  assert.equal(response.statusCode, 200, body)
  const { served } = JSON.parse(body) as ApplyResult
  assert.deepEqual([served?.refused, served?.laggards], [[], []])
}

/** The very next request of each caller meets the AuthorizationPolicy that was waited for, and not the one before it. */
async function assertAllowed(client: Workload, before: Edits, now: Edits): Promise<void> {
  assert.equal(await statusOf(client, `http://web/edit/${now.authorization}`), 200)
  if (now.authorization !== before.authorization)
    assert.equal(await statusOf(client, `http://web/edit/${before.authorization}`), 403)
}

async function statusOf({ proxy }: Workload, url: string): Promise<number> {
  const { hostname: host, port } = new URL(proxy)
  const request = http.get({ host, port, path: url, headers: { host: 'web' }, agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  await response.resume().toArray()
  return response.statusCode ?? 0
}

/** Every answer is of a configuration that has been, none of one that was over or had not begun when it was asked for. */
function assertInForce({ visits }: SteadyLoad, history: readonly Applied[]): void {
  for (const { sentMs, tookMs, told } of visits) {
    const oldest = history.findLastIndex(({ returnedMs }) => returnedMs <= sentMs)
    const newest = history.findLastIndex(({ startMs }) => startMs <= sentMs + tookMs)
    const possible = history.slice(oldest, newest + 1).map(({ edits }) => configuration(edits))
    assert.ok(possible.includes(told), `sent at ${sentMs}: got ${told}, expected one of ${possible.join(', ')}`)
  }
}

/** How long each change took, for people. */
function tell(t: TestContext, loads: readonly SteadyLoad[], history: readonly Applied[]): void {
  const visits = loads.flatMap((load) => load.visits)
  const slowest = visits.map(({ tookMs }) => tookMs).toSorted((a, b) => b - a)
  t.diagnostic(`${visits.length} calls, none failed, the slowest took ${Math.round(slowest[0] ?? 0)} ms`)
  for (const by of ['API', 'command'] as const) {
    const changes = history.slice(1).filter((one) => one.by === by)
    t.diagnostic(
      `${changes.length} edits by ${by}: --wait returned after ${spread(changes.map((one) => one.returnedMs - one.startMs))}`,
    )
  }
  const lags = history.flatMap((change, index) => {
    const before = history[index - 1]
    const changed = before !== undefined && configuration(before.edits) !== configuration(change.edits)
    return changed && change.by === 'API' ? [lagOf(visits, configuration(before.edits), change)] : []
  })
  t.diagnostic(`by API: the last request that an old configuration answered was sent after ${spread(lags)}`)
}

/** How long after the change began the last request was sent that still met what was before; at least 0. */
function lagOf(visits: SteadyLoad['visits'], before: string, { startMs, returnedMs }: Applied): number {
  const old = visits.filter(({ sentMs, told }) => told === before && sentMs >= startMs && sentMs <= returnedMs)
  return Math.max(0, ...old.map(({ sentMs }) => sentMs - startMs))
}

/** "MEDIAN ms (MOST at most)". */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  return `${Math.round(median)} ms (at most ${Math.round(sorted.at(-1) ?? Number.NaN)})`
}
