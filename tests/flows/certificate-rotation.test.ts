import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('certificates are renewed at half life, new connections use the new one, and no connection is dropped', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up({ leafTtlMs: 6000 })
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  const serial = async (url: string): Promise<string> => {
    const { body } = await world.curl(undefined, `${url}/certs`)
    return /"serial(?:Number)?": *"([^"]+)"/i.exec(body)?.[1] ?? assert.fail(`no serial number in ${body}`)
  }
  // Slow answers are under way whenever a certificate changes.
  const load = world.load(client, 'http://web/', { ratePerSecond: 50 })
  const slow = world.load(client, 'http://web/slow/700', { ratePerSecond: 2 })
  await load.more(10)
  for (const { adminUrl } of [client, web, client, web]) {
    const before = await serial(adminUrl)
    await until('it has another certificate', async () => (await serial(adminUrl)) !== before)
  }
  // Longer than any certificate of the start was valid.
  await load.more(350)
  await Promise.all([load.stop(), slow.stop()])
  assert.deepEqual(load.failures, [])
  assert.deepEqual(slow.failures, [])
  const last = await world.curl(client, 'http://web/')
  assert.match(last.body, /spiffe:\/\/weft\.local\/ns\/default\/sa\/client/)
})
