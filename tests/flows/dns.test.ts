import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canCapture, captured, inside, ourselves } from '../world/capturing.ts'
import { createWorld } from '../world/world.ts'

// The resolvers of the system and of other languages, in a captured program.

test('the system, Python and Node resolve names of the mesh', async (t) => {
  if (!canCapture(t, ourselves)) return
  const world = createWorld(t)
  await world.up()
  await world.run('web', { args: captured })
  const ask = async (...command: string[]): Promise<string> => {
    const { out, err, status } = await inside(world, ourselves, ...command)
    return status === 0 ? out.trim() : `${status} ${out}${err}`
  }
  const node = (code: string): Promise<string> =>
    ask(process.execPath, '-e', `require('node:dns/promises').${code}.then((all) => console.log(JSON.stringify(all)))`)

  const address = (await ask('getent', 'ahostsv4', 'web')).split(/\s/)[0] ?? ''
  assert.match(address, /^24[0-7]\./)
  // Both families at once, as nearly every client asks: the empty answer for IPv6 is no failure.
  const both = 'import socket, sys; print({one[4][0] for one in socket.getaddrinfo(sys.argv[1], 80)})'
  assert.equal(await ask('python3', '-c', both, 'web.default.svc.cluster.local'), `{'${address}'}`)
  const named = await node(`resolveSrv('_http-80._tcp.web')`)
  assert.deepEqual(JSON.parse(named), [
    { name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 1, type: 'SRV' },
  ])
  assert.match(await ask('getent', 'hosts', 'nobody.mesh'), /^2 /)
})
