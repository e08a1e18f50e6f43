import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
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
