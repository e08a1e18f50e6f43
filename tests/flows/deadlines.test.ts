import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const bounded = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: front }
spec:
  targetRefs: [{ group: '', kind: Service, name: front }]
  timeouts: { request: 600ms }
`
const header = 'x-envoy-expected-rq-timeout-ms'
const toldIn = (body: string): number => {
  const { headers } = JSON.parse(body) as { headers: Record<string, string> }
  return Number(headers[header])
}

test('recovery: the deadline of a call goes along to the calls made for it, and shrinks', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('front')
  await world.run('back')
  await world.curlUntil(client, 'http://back/', 200)
  await world.curlUntil(client, 'http://front/call?url=http://back/', 200)
  const { body: before } = await world.curl(client, 'http://back/')
  assert.ok(Number.isNaN(toldIn(before)), 'nobody bounds it')

  await world.apply(bounded)
  const first = await until('front is told how long its caller waits', async () => {
    const told = toldIn((await world.curl(client, 'http://front/')).body)
    return Number.isNaN(told) ? undefined : told
  })
  assert.ok(first > 0 && first <= 600, String(first))
  const { body } = await world.curl(client, 'http://front/call?url=http://back/')
  const second = toldIn(body)
  assert.match(body, /"name":"back"/)
  assert.ok(second > 0 && second <= 600, String(second))

  // The program behind is not waited for longer than the first caller waits.
  const { status } = await world.curl(client, 'http://front/call?url=http://back/slow/20000')
  assert.equal(status, 504)
  // A caller's own word counts where no policy says anything; explain decides by the same function.
  assert.equal((await world.curl(client, 'http://back/slow/20000', { headers: [`${header}: 150`] })).status, 504)
  const explained = await world.weft(['explain', '--from', client.name, 'GET', 'http://back/', '-H', `${header}: 150`])
  assert.match(explained.out, /request timeout 150 ms/)

  // What bounds a stream ends any call.
  await world.apply(bounded.replaceAll('front', 'back').replace('request: 600ms', 'stream: 300ms'))
  const asks = ['explain', '--from', client.name, 'GET', 'http://back/']
  const streams = await until('explain tells of the stream', async () => {
    const { out } = await world.weft(asks)
    return out.includes('over after at most 300 ms') && out
  })
  assert.match(streams, /policy: timeouts\.stream +\(TrafficPolicy default\/back spec\.timeouts\.stream\)/)
  const cut = await world.curl(client, 'http://back/slow/20000')
  assert.equal(cut.status, 504)
  assert.match(cut.body, /may last here/)
})
