import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('load shedding: what a program cannot bear is refused at once, counted, and explained', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(`
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: shed }
spec: { targetRefs: [{ kind: Service, name: web }], adaptiveConcurrency: { minConcurrency: 1, maxConcurrency: 1 } }
`)
  const explain = async (): Promise<string> =>
    (await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])).out
  await until('the limit is there', async () =>
    /load +✓ 0 of 1 calls .*TrafficPolicy default\/shed/.test(await explain()),
  )
  // Each may be tried three times: whoever comes while the one place is taken for so long gives up.
  await until('some were shed', async () => {
    const replies = await Promise.all(Array.from({ length: 4 }, () => world.curl(client, 'http://web/slow/1500')))
    const codes = replies.map(({ status }) => status).toSorted((a, b) => a - b)
    assert.ok(
      codes.every((status) => status === 200 || status === 503),
      codes.join(),
    )
    return codes[0] === 200 && codes[3] === 503
  })
  const { body } = await world.curl(undefined, `${web.adminUrl}/metrics`)
  assert.match(body, /weft_shed_total\{listener="inbound\/[^"]+"\} [1-9]/)
  assert.match(body, /weft_concurrency_limit\{listener="inbound\/[^"]+"\} 1\n/)
  assert.match(body, /weft_requests_total\{[^}]*direction="inbound"[^}]*status="503"[^}]*flags="UO"/)
})
