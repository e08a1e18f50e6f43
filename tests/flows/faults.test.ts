import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const policyOf = (faults: string): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: test-web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  faults: ${faults}
`

test('faults: who tests is held up or refused on purpose, everybody else is served; explain says so', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    policyOf("{ delay: { duration: 300ms }, abort: { httpStatus: 418 }, headers: [{ name: x-test, value: 'yes' }] }"),
  )
  const tester = { headers: ['x-test: yes'] }
  await world.curlUntil(client, 'http://web/', 418, tester)
  const startMs = performance.now()
  const { status, headers, body } = await world.curl(client, 'http://web/', tester)
  assert.equal(status, 418)
  assert.ok(performance.now() - startMs >= 300, 'held up first')
  assert.equal(headers['x-weft-fault']?.[0], 'injected')
  assert.match(body, /on purpose/)
  assert.equal((await world.curl(client, 'http://web/')).status, 200)

  const told = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/', '-H', 'x-test: yes'])
  assert.match(told.out, /faults +made on purpose: 100 % held up for 300 ms, 100 % answered with 418/)
  assert.match(told.out, /policy: faults +\(TrafficPolicy default\/test-web spec\.faults\)/)
  const other = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])
  assert.doesNotMatch(other.out, /on purpose/)

  await world.apply(policyOf('{ bandwidth: { rate: 1KiB/s }, headers: [{ name: x-test, value: slowly }] }'))
  const slowly = ['explain', '--from', 'client', 'GET', 'http://web/', '-H', 'x-test: slowly']
  await until('explain tells of slow replies', async () =>
    /faults +made on purpose: 100 % of replies at 1 KiB\/s/.test((await world.weft(slowly)).out),
  )
  const fast = await world.curl(client, 'http://web/')
  const beginMs = performance.now()
  const slow = await world.curl(client, 'http://web/', { headers: ['x-test: slowly'] })
  assert.deepEqual([slow.status, slow.body.length > 200], [200, true])
  const leastMs = ((slow.body.length - 1024 / 20) / 1024) * 1000
  assert.ok(performance.now() - beginMs >= leastMs, `${slow.body.length} bytes in ${performance.now() - beginMs} ms`)
  assert.equal(fast.status, 200)
  const metrics = await world.curl(undefined, `${client.adminUrl}/metrics`)
  assert.match(metrics.body, /weft_requests_total\{[^}]*status="418"[^}]*flags="DI,FI"/)
})
