import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { twoMachines } from '../world/two-machines.ts'
import { createWorld } from '../world/world.ts'

test('two machines: a workload joins by token over the network, and both ask each other over mTLS', async (t) => {
  if (!requires(t, 'linux', 'root', 'ip', 'curl')) return
  const machines = await twoMachines(t)
  const world = createWorld(t)
  await world.up({ prefix: machines.one, host: '10.77.0.1', args: ['--advertise', '10.77.0.1'] })
  const created = await world.weft(['token', 'create', '--ttl', '5m'], { prefix: machines.one })
  assert.equal(created.status, 0, created.err)
  const token = world.file('join.token', created.out)

  const web = await world.run('web', { prefix: machines.one, args: ['--advertise', '10.77.0.1'] })
  // On the other machine nothing is known but the token.
  const remote = ['--token-file', token]
  const far = await world.run('far', { prefix: machines.two, args: remote })
  const there = await world.curlUntil(far, 'http://web/', 200, { prefix: machines.two })
  assert.match(there.body, /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/far/)
  const back = await world.curlUntil(web, 'http://far/', 200, { prefix: machines.one })
  assert.match(back.body, /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/web/)

  const forged = world.file('forged.token', `${created.out.trim().slice(0, -4)}AAAA\n`)
  const refused = await world.weft(
    ['run', '--service', 'thief', '--no-wait', '--token-file', forged, '--', process.execPath, '-e', '0'],
    { prefix: machines.two },
  )
  assert.equal(refused.status, 1, 'a forged token is refused')
})

test('two machines: a token makes no sense while xDS is on loopback only, and says so', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const { status, err } = await world.weft(['token', 'create'])
  assert.equal(status, 1)
  assert.match(err, /--advertise/)
})
