import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { silentLog } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import { manualClock, type ManualClock } from '../base/testing/manual-clock.ts'
import { settable, type Settable } from '../base/watchable.ts'
import type { DnsRules, ProxyConfig } from './config.ts'
import { lookupTtlMs } from './dns/lookup-host.ts'
import { resolveNames, type Resolved } from './dns-clusters.ts'
import { buildCluster, buildConfig } from './testing/build-config.ts'

const rules: DnsRules = {
  use: 'all',
  family: 'auto',
  refreshMs: 1000,
  failureMs: 100,
  mostFailureMs: 400,
  jitterMs: 0,
}
const named = (host: string, more: Partial<DnsRules> = {}): ProxyConfig =>
  buildConfig({
    clusters: [
      buildCluster('fixed', [{ host: '192.0.2.9', port: 1 }]),
      buildCluster('named', [{ host, port: 80 }], { discovery: 'dns', dns: { ...rules, ...more } }),
    ],
  })

interface World {
  readonly clock: ManualClock
  readonly source: Settable<ProxyConfig>
  readonly resolved: Resolved
  readonly asked: string[]
  /** What the next questions are answered with. */
  answer: readonly string[] | Error
  ttlMs: number
  now(): readonly string[] | undefined
  advance(ms: number): Promise<void>
}

async function world(config: ProxyConfig, answer: World['answer']): Promise<World> {
  const clock = manualClock()
  const source = settable(config)
  const asked: string[] = []
  const lookup = async (name: string): Promise<readonly string[]> => {
    asked.push(name)
    if (made.answer instanceof Error) throw made.answer
    return made.answer
  }
  const made: World = {
    clock,
    source,
    asked,
    answer,
    ttlMs: 0,
    resolved: undefined as never,
    now: () =>
      made.resolved.config.value.clusters
        .get('named')
        ?.endpoints.map(({ address, moreAddresses = [] }) =>
          [address, ...moreAddresses].map(({ host }) => host).join(' or '),
        ),
    async advance(ms) {
      clock.advance(ms)
      await turn()
    },
  }
  Object.assign(made, {
    resolved: resolveNames(source, { lookup, ttlMs: async () => made.ttlMs, clock, random: seeded(1), log: silentLog }),
  })
  await turn()
  return made
}

test('every address of a name is an endpoint, and follows what the resolver says', async () => {
  const one = await world(named('web.example'), ['192.0.2.2', '192.0.2.1'])
  assert.deepEqual(one.now(), ['192.0.2.1', '192.0.2.2'])
  const before = one.resolved.config.value
  one.answer = ['192.0.2.1', '192.0.2.2']
  await one.advance(1000)
  assert.equal(one.asked.length, 2)
  assert.equal(one.resolved.config.value, before, 'the same addresses are no change')
  one.answer = ['192.0.2.3']
  await one.advance(1000)
  assert.deepEqual(one.now(), ['192.0.2.3'])
  assert.equal(one.resolved.config.value.clusters.get('fixed'), before.clusters.get('fixed'))
})

test('nothing is given on before each name has been asked for; one that is slow does not hold up the rest for ever', async () => {
  const one = await world(named('web.example'), new Promise<never>(() => {}) as never)
  assert.equal(one.now(), undefined)
  await one.advance(5000)
  assert.deepEqual(one.now(), [])
})

test('a name that is not found: no endpoints, asked again with growing pauses; what was found stays', async () => {
  const one = await world(named('web.example'), new Error('ENOTFOUND'))
  assert.deepEqual(one.now(), [])
  for (const ms of [100, 200, 400, 400]) await one.advance(ms)
  assert.equal(one.asked.length, 5)
  one.answer = ['192.0.2.1']
  await one.advance(400)
  assert.deepEqual(one.now(), ['192.0.2.1'])
  one.answer = new Error('EAI_AGAIN')
  await one.advance(1000)
  assert.deepEqual(one.now(), ['192.0.2.1'])
})

test('families, and one endpoint for a logical name', async () => {
  const both = ['192.0.2.1', '2001:db8::1', '192.0.2.2']
  const expected: readonly (readonly [Partial<DnsRules>, readonly string[]])[] = [
    [{ family: 'auto' }, ['2001:db8::1']],
    [{ family: 'v4' }, ['192.0.2.1', '192.0.2.2']],
    [{ family: 'v6' }, ['2001:db8::1']],
    [{ family: 'v4-preferred' }, ['192.0.2.1', '192.0.2.2']],
    [{ family: 'all' }, ['192.0.2.1', '192.0.2.2', '2001:db8::1']],
    [{ family: 'all', use: 'first' }, ['192.0.2.1 or 2001:db8::1 or 192.0.2.2']],
    [{ family: 'v6', use: 'first' }, ['2001:db8::1']],
  ]
  for (const [more, addresses] of expected)
    assert.deepEqual((await world(named('web.example', more), both)).now(), addresses, JSON.stringify(more))
})

test('a name that nobody needs is asked for no more, and addresses are never asked for', async () => {
  const one = await world(named('web.example'), ['192.0.2.1'])
  one.source.set(named('192.0.2.7'))
  await one.advance(10_000)
  assert.deepEqual([one.asked.length, one.now()], [1, ['192.0.2.7']])
  one.source.set(named('other.example'))
  await turn()
  assert.deepEqual([one.asked.length, one.now()], [2, ['192.0.2.1']])
  one.resolved.close()
  await one.advance(10_000)
  assert.equal(one.asked.length, 2)
  assert.equal(one.clock.pending, 0)
})

test('where a TTL is respected it says when a name is asked again; without one the refresh rate does', async () => {
  const config = named('web.example')
  const clusters = new Map(
    Array.from(config.clusters, ([name, one]) => [
      name,
      one.dns === undefined ? one : { ...one, dns: { ...one.dns, respectTtl: true as const } },
    ]),
  )
  const one = await world({ ...config, clusters }, ['192.0.2.1'])
  assert.deepEqual(
    one.resolved.config.value.clusters.get('named')?.endpoints.map(({ hostname }) => hostname),
    ['web.example'],
  )
  one.ttlMs = 30_000
  await one.advance(1000)
  assert.equal(one.asked.length, 2, 'nobody said a TTL at first')
  await one.advance(29_000)
  assert.equal(one.asked.length, 2)
  one.ttlMs = 0
  await one.advance(1000)
  assert.equal(one.asked.length, 3)
  await one.advance(1000)
  assert.equal(one.asked.length, 4)
})

test('the TTL of a name is the shortest of its records; of names that no server knows there is none', async () => {
  const servers = (v4: readonly number[], v6: readonly number[] | Error): Parameters<typeof lookupTtlMs>[1] => {
    const of = (ttls: readonly number[] | Error) => () =>
      ttls instanceof Error ? Promise.reject(ttls) : Promise.resolve(ttls.map((ttl) => ({ address: '::1', ttl })))
    return { resolve4: of(v4), resolve6: of(v6) } as never
  }
  assert.equal(await lookupTtlMs('x', servers([60, 20], [30])), 20_000)
  assert.equal(await lookupTtlMs('x', servers([60], new Error('ENODATA'))), 60_000)
  assert.equal(await lookupTtlMs('x', servers([], new Error('ENOTFOUND'))), 0)
})
