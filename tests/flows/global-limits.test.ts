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

/** Asks so often, whatever comes back; counts what was admitted. */
function ask(t: TestContext, url: string, perSecond: number): { takeAdmitted(): number } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 })
  let admitted = 0
  const timer = systemClock.every(1000 / perSecond, () => {
    const request = http.get(url, { agent }, (response) => {
      if (response.statusCode === 200) admitted++
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

  await until('who is asked most gets most', async () => ((await during(1000))[0] ?? 0) > budget * 0.75, {
    withinMs: 30_000,
  })
  const shared = await during(4000)
  assert.ok(within(shared, 4), `${shared.join(', ')} a second`)
  assert.ok((shared[0] ?? 0) > budget * 0.7, `${shared[0]} at the busy one`)
  assert.ok(
    shared.slice(1).every((rate) => rate > 1),
    'the others lack nothing',
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
  assert.ok((alone[0] ?? 0) > budget * 0.6, `${alone[0]} at the busy one: it keeps its share`)
  await until('its share has run out', async () => ((await during(1000))[0] ?? 0) < budget * 0.5, { withinMs: 30_000 })
  const equal = await during(3000)
  assert.ok(within(equal, 3), `${equal.join(', ')} a second`)
  assert.ok((equal[0] ?? 0) > budget * 0.25 && (equal[0] ?? 0) < budget * 0.45, `${equal[0]}: a third`)
})
