import assert from 'node:assert/strict'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type World } from '../world/world.ts'

const budget = 60
const policy = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: together }
spec: { targetRefs: [{ kind: Service, name: web }], rateLimits: [{ requests: ${budget}, scope: Global }] }
`

/** Asks so often, whatever comes back; counts what was admitted, and remembers what share the replies told. */
function ask(
  t: TestContext,
  url: string,
  perSecond: number,
  headers: Readonly<Record<string, string>> = {},
): { takeAdmitted(): number; share(): number } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 })
  let admitted = 0
  let share = 0
  const timer = systemClock.every(1000 / perSecond, () => {
    const request = http.get(url, { agent, headers }, (response) => {
      if (response.statusCode === 200) admitted++
      share = Number(response.headers['x-ratelimit-limit'] ?? share)
      response.resume()
    })
    request.on('error', () => {})
  })
  t.after(() => {
    timer.cancel()
    agent.destroy()
  })
  return {
    takeAdmitted() {
      const taken = admitted
      admitted = 0
      return taken
    },
    share: () => share,
  }
}

async function inboundUrls(world: World): Promise<readonly string[]> {
  const { out } = await world.weft(['get', 'workloads', '-o', 'json'])
  const { items } = JSON.parse(out) as {
    items: { spec: { service: string; ports: { inbound?: { address: string; port: number } }[] } }[]
  }
  return items.flatMap(({ spec: { service, ports } }) => {
    const inbound = service === 'web' ? ports[0]?.inbound : undefined
    return inbound === undefined ? [] : [`http://${inbound.address}:${inbound.port}/`]
  })
}

test('rate limits: instances share one budget by demand; without a control plane they keep their shares, then take equal ones', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const up = await world.up()
  await Promise.all([world.run('web'), world.run('web'), world.run('web')])
  await world.apply(policy)
  const [busy = '', ...others] = await inboundUrls(world)
  assert.equal(others.length, 2)
  const limitAt = async (url: string) => (await world.curl(undefined, url)).headers['x-ratelimit-limit']?.[0]
  for (const url of [busy, ...others]) await until('it has a share', async () => (await limitAt(url)) !== undefined)

  const loads = [ask(t, busy, 150), ...others.map((url) => ask(t, url, 2))]
  const during = async (ms: number): Promise<readonly number[]> => {
    for (const load of loads) load.takeAdmitted()
    const startMs = performance.now()
    await systemClock.sleep(ms)
    const seconds = (performance.now() - startMs) / 1000
    return loads.map((load) => load.takeAdmitted() / seconds)
  }
  const total = (rates: readonly number[]): number => rates.reduce((sum, one) => sum + one, 0)
  /** Within a tenth of the budget, and a bucket more over the time that was looked at. */
  const within = (rates: readonly number[], seconds: number): boolean => total(rates) <= budget * 1.1 + budget / seconds

  const busyShare = (): number => loads[0]?.share() ?? 0
  await until('who is asked most gets most', async () => busyShare() > budget * 0.6, { withinMs: 30_000 })
  const shared = await during(4000)
  assert.ok(within(shared, 4), `${shared.join(', ')} a second`)
  assert.ok(
    shared.every((rate) => rate > 0),
    'nobody lacks what it needs',
  )
  const told = await world.weft(['explain', '--from', 'web', 'GET', 'http://web/'])
  assert.match(
    told.out,
    /limit .*default\/together\/limit-0: .*a share of 60 a second for 3 instances/,
    told.out + told.err,
  )

  up.child.signal('SIGKILL')
  await up.child.ended
  const alone = await during(3000)
  assert.ok(within(alone, 3), `${alone.join(', ')} a second`)
  assert.ok(busyShare() > budget * 0.5, `${busyShare()}: it keeps its share`)
  await until('its share has run out, and it has a third', async () => busyShare() === budget / 3, { withinMs: 30_000 })
  const equal = await during(3000)
  assert.ok(within(equal, 3), `${equal.join(', ')} a second`)
  assert.deepEqual(
    loads.map((load) => load.share()),
    [budget / 3, budget / 3, budget / 3],
  )
})

const perUser = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: together }
spec:
  targetRefs: [{ kind: Service, name: web }]
  rateLimits: [{ requests: ${budget}, scope: Global, per: { header: x-user } }]
`

test('rate limits: each value of a header has one budget over all instances, wherever it comes', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await Promise.all([world.run('web'), world.run('web'), world.run('web')])
  await world.apply(perUser)
  const [first = '', ...others] = await inboundUrls(world)
  assert.equal(others.length, 2)
  const limitAt = async (url: string) => (await world.curl(undefined, url)).headers['x-ratelimit-limit']?.[0]
  for (const url of [first, ...others]) await until('it has a share', async () => (await limitAt(url)) !== undefined)

  // One of them comes to one instance alone, another to all.
  const ann = ask(t, first, 120, { 'x-user': 'ann' })
  const bob = [first, ...others].map((url) => ask(t, url, 50, { 'x-user': 'bob' }))
  await until('who alone is asked by ann has all of hers', () => Promise.resolve(ann.share() === budget), {
    withinMs: 30_000,
  })
  const admitted = [ann, ...bob]
  for (const load of admitted) load.takeAdmitted()
  const startMs = performance.now()
  await systemClock.sleep(4000)
  const seconds = (performance.now() - startMs) / 1000
  const [ofAnn = 0, ...ofBob] = admitted.map((load) => load.takeAdmitted() / seconds)
  const together = ofBob.reduce((sum, one) => sum + one, 0)
  for (const rate of [ofAnn, together]) {
    assert.ok(rate <= budget * 1.1 + budget / seconds, `${ofAnn} and ${ofBob.join(', ')} a second`)
    assert.ok(rate > budget * 0.6, `${ofAnn} and ${ofBob.join(', ')} a second`)
  }
  const told = await world.weft(['explain', '--from', 'web', 'GET', 'http://web/', '-H', 'x-user: bob'])
  assert.match(told.out, /limit .*default\/together\/limit-0: .*a share of 60 a second for 3 instances/)
})
