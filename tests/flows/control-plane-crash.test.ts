import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

test('the control plane is killed under load and comes back: no request fails, nothing stored is lost', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const { child } = await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web', { says: 'first' })
  await world.curlUntil(client, 'http://web/', 200)
  const load = world.load(client, 'http://web/')
  await load.more(20)

  // Writes go on until the moment of the kill: each one that was acknowledged must be there afterwards.
  const acknowledged: string[] = []
  const writing = (async () => {
    for (let count = 0; child.isRunning; count++) {
      const name = `written-${count}`
      const input = `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`
      const { status } = await world.weft(['apply', '-f', '-'], { input })
      if (status === 0) acknowledged.push(name)
    }
  })()
  await until('some writes are acknowledged', () => acknowledged.length >= 3)
  child.signal('SIGKILL')
  await child.ended
  await writing
  await load.more(100)
  assert.deepEqual(load.failures, [], 'with the control plane away, all goes on')

  await world.up()
  const { out } = await world.weft(['get', 'namespaces', '-o', 'json'])
  for (const name of acknowledged) assert.ok(out.includes(`"${name}"`), `${name} was acknowledged and is lost`)
  await until('both proxies are back', async () => {
    const { out: table } = await world.weft(['proxies'])
    return [client.name, web.name].every((name) => new RegExp(`${name} +connected`).test(table))
  })
  await world.run('web', { says: 'second' })
  await until('what is new after the restart arrives', async () =>
    (await world.curl(client, 'http://web/')).body.includes('"second"'),
  )
  await load.more(50)
  await load.stop()
  assert.deepEqual(load.failures, [])
})
