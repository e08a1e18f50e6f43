import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules: [{ backendRefs: [{ name: web, port: 80 }], filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-kept, value: 'yes' }] } }] }]
`

test('a mesh is saved while it runs and comes back elsewhere: its sidecars go on with their identities', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const first = await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.apply(route)
  await world.curlUntil(client, 'http://web/', 200)

  const file = path.join(world.dir, 'saved.db')
  const saved = await world.weft(['backup', file])
  assert.deepEqual([saved.status, saved.err], [0, ''])
  assert.equal(fs.statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(
    fs.readdirSync(world.dataDir).filter((name) => name.startsWith('backup')),
    [],
  )
  const again = await world.weft(['backup', file])
  assert.equal(again.status, 1)
  assert.match(again.err, /is there already, and is not overwritten/)
  // The keys never go over the network, whoever asks.
  const token = fs.readFileSync(path.join(world.dataDir, 'api.token'), 'utf8').trim()
  const remote = await world.curl(undefined, `${first.apiUrl}/v1/backup`, {
    method: 'POST',
    headers: [`authorization: Bearer ${token}`],
  })
  assert.equal(remote.status, 403)

  const running = await world.weft(['restore', file])
  assert.equal(running.status, 1)
  assert.match(running.err, /a control plane runs on .* \(process \d+\); stop it first/)
  first.child.signal('SIGTERM')
  await first.child.ended
  const occupied = await world.weft(['restore', file])
  assert.match(occupied.err, /weft\.db is there already, and is not overwritten/)
  const offline = path.join(world.dir, 'offline.db')
  assert.equal((await world.weft(['backup', offline])).status, 0)

  fs.renameSync(world.dataDir, path.join(world.dir, 'lost'))
  const broken = world.file('broken.db', fs.readFileSync(file).fill(0xa5, 8192, 12_288))
  const refused = await world.weft(['restore', broken])
  assert.equal(refused.status, 1)
  assert.match(refused.err, /damaged/)
  const foreign = await world.weft(['restore', world.file('note.txt', 'no database at all')])
  assert.match(foreign.err, /is no backup made by weft backup/)
  assert.ok(!fs.existsSync(path.join(world.dataDir, 'ca')), 'a refused backup leaves nothing')

  const restored = await world.weft(['restore', file])
  assert.equal(restored.err, '')
  assert.match(restored.out, /\d+ resources, revision \d+, and the keys are back/)
  for (const name of ['weft.db', 'ca/root.pem', 'ca/seal.key', 'api.token'])
    assert.equal(fs.statSync(path.join(world.dataDir, name)).mode & 0o777, 0o600, name)
  assert.ok(!fs.readFileSync(path.join(world.dataDir, 'weft.db')).includes('PRIVATE KEY'), 'the store holds no key')
  await world.up()
  assert.equal((await world.weft(['get', 'httproute', 'web'])).status, 0)
  // One that joins now and one that joined before the loss trust each other: it is the same mesh.
  const late = await world.run('late', { port: 0 })
  const { headers } = await world.curlUntil(late, 'http://web/', 200)
  assert.deepEqual(headers['x-kept'], ['yes'])
})

test('uninstall waits until nothing runs, asks, and leaves nothing', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const up = await world.up()
  const web = await world.run('web')
  const busy = await world.weft(['uninstall', '--yes'])
  assert.equal(busy.status, 1)
  assert.match(busy.err, new RegExp(`still run; stop them first: process ${web.child.pid} \\(weft run --service web`))
  await web.stop()
  assert.match((await world.weft(['uninstall', '--yes'])).err, /a control plane still runs on .*; stop it first/)
  up.child.signal('SIGTERM')
  await up.child.ended
  const asked = await world.weft(['uninstall'])
  assert.equal(asked.status, 1)
  assert.match(asked.err, /nothing was removed: say --yes/)
  assert.ok(fs.existsSync(path.join(world.dataDir, 'weft.db')))
  const own = path.join(world.dataDir, 'notes.txt')
  fs.writeFileSync(own, 'mine')
  const kept = await world.weft(['uninstall', '--yes'])
  assert.equal(kept.status, 0)
  assert.match(kept.err, /not ours: notes\.txt/)
  assert.deepEqual(fs.readdirSync(world.dataDir), ['notes.txt'])
  const stranger = await world.weft(['uninstall', '--yes'])
  assert.equal(stranger.status, 1)
  assert.match(stranger.err, /is no data directory of a control plane, and is left alone/)
  fs.rmSync(world.dataDir, { recursive: true })

  const again = await world.up()
  again.child.signal('SIGKILL')
  await again.child.ended
  assert.equal((await world.weft(['uninstall', '--yes'])).status, 0)
  assert.ok(!fs.existsSync(world.dataDir), 'also after SIGKILL')
  assert.deepEqual(await world.weft(['uninstall']), {
    status: 0,
    out: `there is nothing at ${world.dataDir}\n`,
    err: '',
  })
})
