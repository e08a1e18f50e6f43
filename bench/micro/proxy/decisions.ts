// What the decisions on the path of one call cost: route match, name look-up, path hardening, authorization, picks, records.
// Run: node bench/micro/proxy/decisions.ts. Nanoseconds a decision, the median of nine rounds.
import { seeded } from '../../../src/base/random.ts'
import { xxHash64 } from '../../../src/base/xx-hash.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { createTimerWheel } from '../../../src/base/timer-wheel.ts'
import { createBalancer } from '../../../src/proxy/balance/balancer.ts'
import { createEndpointStates } from '../../../src/proxy/balance/endpoint-state.ts'
import type { Cluster, Endpoint, LoadBalancing, Route } from '../../../src/proxy/config.ts'
import { compileAuthorization } from '../../../src/proxy/filter/authorize.ts'
import { makeCall, makeReply } from '../../../src/proxy/http/testing/fake-call.ts'
import { nameIndex } from '../../../src/proxy/route/names.ts'
import { normalizePath } from '../../../src/proxy/route/path.ts'
import { compileRoutes } from '../../../src/proxy/route/router.ts'
import { createMetrics } from '../../../src/proxy/telemetry/metrics.ts'
import { createCallMetrics } from '../../../src/proxy/telemetry/record.ts'

const times = 100_000

function measure(name: string, decide: () => unknown): void {
  const rounds = Array.from({ length: 9 }, () => {
    const startedMs = performance.now()
    for (let count = 0; count < times; count++) decide()
    return ((performance.now() - startedMs) * 1e6) / times
  }).toSorted((a, b) => a - b)
  console.log(`${name.padEnd(44)} ${(rounds[4] ?? 0).toFixed(0).padStart(6)} ns`)
}

/** Exact and prefix paths by turns. */
const routes = (count: number): Route[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `r${index}`,
    match: {
      path: { kind: index % 2 === 0 ? 'segments' : 'exact', value: `/api/v1/resource-${index}`, caseSensitive: true },
      headers: [],
      queryParameters: [],
    },
    action: { kind: 'direct', status: 200, body: '' },
    origin: undefined,
  }))
for (const [hosts, paths] of [
  [1, 1],
  [10, 10],
  [100, 100],
  [1, 10_000],
  [10_000, 1],
] as const) {
  const table = {
    name: 't',
    virtualHosts: Array.from({ length: hosts }, (_, host) => ({
      name: `v${host}`,
      domains: [`service-${host}.test`],
      routes: routes(paths),
    })),
    ignorePortInHost: false,
    origin: undefined,
  }
  const router = compileRoutes(table, seeded(1))
  const middle = 2 * Math.floor(paths / 4)
  const call = makeCall({
    authority: `service-${Math.floor(hosts / 2)}.test`,
    path: `/api/v1/resource-${middle}/items?page=2`,
  })
  if (router(call)?.name !== `r${middle}`) throw new Error(`no route in ${hosts} × ${paths}`)
  measure(`route match, ${hosts} hosts × ${paths} paths`, () => router(call))
}

const find = nameIndex(
  new Map([['shop/web', { namespace: 'shop', name: 'web', ports: [{ port: 80, protocol: 'http' as const }] }]]),
)
measure('name look-up, web.shop.svc.cluster.local', () => find('web.shop.svc.cluster.local', 80, 'default'))
measure('path, ordinary', () => normalizePath('/service-4/items/4?x=y'))
measure('path, to be normalised', () => normalizePath('/service-4//items/../4?x=y'))

const exact = (value: string) => ({ kind: 'exact' as const, value, ignoreCase: false })
const authorization = compileAuthorization(
  {
    action: 'allow',
    policies: Array.from({ length: 5 }, (_, index) => ({
      name: `p${index}`,
      permission: { kind: 'path', match: { ...exact('/items'), kind: 'prefix' } },
      principal: { kind: 'principal', match: exact(`spiffe://weft.local/ns/default/sa/s${index}`) },
      origin: undefined,
    })),
  },
  { workload: 'default/web' },
)
const known = makeCall({ path: '/items/4', peer: { principal: 'spiffe://weft.local/ns/default/sa/s4', tls: true } })
measure('authorization, fifth of five rules', () => authorization(known))

const endpoints = (count: number, weighted: boolean): Endpoint[] =>
  Array.from({ length: count }, (_, index) => ({
    address: { host: `10.0.${index >> 8}.${index & 255}`, port: 80 },
    weight: weighted ? 1 + (index % 7) : 1,
    priority: 0,
    health: 'healthy',
    locality: '',
    transport: '',
    workload: undefined,
  }))
const cluster = (count: number, loadBalancing: LoadBalancing, weighted: boolean): Cluster => ({
  name: `${count}-${loadBalancing.kind}-${weighted}`,
  connectTimeoutMs: 1,
  loadBalancing,
  discovery: 'eds',
  endpoints: endpoints(count, weighted),
  transports: new Map(),
  limits: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, retryBudgetPercent: 20, minRetryConcurrency: 3 },
  upstreamProtocol: 'h2',
  idleTimeoutMs: 0,
  outlierDetection: undefined,
  panicThresholdPercent: 0,
  origin: undefined,
})
const states = createEndpointStates()
const policies: readonly LoadBalancing[] = [
  { kind: 'round-robin' },
  { kind: 'least-request', choices: 2, activeRequestBias: 1 },
  { kind: 'random' },
  { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000 },
  { kind: 'ring-hash', minSize: 1024, maxSize: 8_388_608 },
  { kind: 'maglev', tableSize: 65_537 },
]
const hash = xxHash64('some session')
for (const loadBalancing of policies)
  for (const weighted of [false, true])
    for (const count of [3, 10_000]) {
      const balancer = createBalancer(cluster(count, loadBalancing, weighted), states, seeded(1), systemClock)
      measure(`${loadBalancing.kind}, ${count} endpoints${weighted ? ', weights' : ''}`, () =>
        balancer.pick([], 0, hash),
      )
    }

measure('hash of a session cookie', () => xxHash64('d41d8cd98f00b204e9800998ecf8427e'))

const metrics = createMetrics({ clock: systemClock })
const self = { principal: 'spiffe://weft.local/ns/default/sa/web', workload: 'default/web-1', service: 'default/web' }
const reply = Promise.resolve(makeReply())
const record = createCallMetrics(metrics, systemClock).record('inbound', () => self)(() => reply)
measure('a hand-made call', () => makeCall())
measure('a hand-made call that is recorded', () => {
  const call = makeCall()
  void record(call)
  call.end({ status: 200, fault: undefined })
})
const timer = createTimerWheel(systemClock).timer(() => {})
measure('idle timer set anew', () => timer.start(60_000))
timer.cancel()
metrics.close()
