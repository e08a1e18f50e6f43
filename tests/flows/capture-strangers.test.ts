import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { canCapture, captured, inside, ordinary, ourselves } from '../world/capturing.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

// Programs in many languages that know nothing of a mesh, each with a network namespace of its own. See also capture.test.ts.

const programs = path.join(import.meta.dirname, '../world/programs')
const grpc = path.join(import.meta.dirname, '../interop/grpc')

const fetching = `
const replies = await Promise.all([1, 2, 3].map(() => fetch(process.argv[1])))
console.log('fetch', ...replies.map(({ status }) => status))`

for (const who of [ourselves, ordinary]) {
  test(`programs in Python, Node and Go, and a gRPC client, call by name ${who.title}`, async (t) => {
    if (!canCapture(t, who) || !requires(t, 'go')) return
    const world = createWorld(t)
    fs.chownSync(world.dir, who.uid, who.uid)
    await world.up({ prefix: who.prefix })
    await world.run('web', { args: captured, prefix: who.prefix })
    await world.run('calls', {
      port: 0,
      args: [...captured, '--port', '50051/grpc'],
      prefix: who.prefix,
      command: (report) => [process.execPath, `${grpc}/server.mjs`, 'calls', '50051', report],
    })

    const python = await inside(world, who, 'python3', `${programs}/strangers.py`, 'web')
    assert.equal(python.out, 'urllib 200\nhttp.client 200 200\nasyncio 200\n', python.err)

    const node = [process.execPath, '--input-type=module', '--eval', fetching, 'http://web.default.svc.cluster.local/']
    const fetched = await inside(world, who, ...node)
    assert.equal(fetched.out, 'fetch 200 200 200\n', fetched.err)

    // Without C: Go's own resolver, and no library that anybody could replace.
    const binary = path.join(world.dir, 'stranger')
    const build = ['build', '-o', binary, path.join(programs, 'stranger.go')]
    const built = spawnSync('go', build, { encoding: 'utf8', env: { ...process.env, CGO_ENABLED: '0' } })
    assert.equal(built.status, 0, built.stderr)
    const go = await inside(world, who, binary, 'http://web/')
    assert.equal(go.out, '200 true true <nil>\n', go.err)

    const client = await inside(world, who, process.execPath, `${grpc}/client.mjs`, 'calls:50051')
    const results = JSON.parse(client.out) as Record<string, unknown>
    assert.deepEqual([results['unary'], results['large']], [[0, 'hello', 'calls a', '00ff'], true], client.err)
    assert.deepEqual(results['count'], [0, 100, true, '00ff'])
  })

  test(`etcd and etcdctl: a database on a declared TCP port, by mTLS and nothing else ${who.title}`, async (t) => {
    if (!canCapture(t, who) || !requires(t, 'etcd', 'etcdctl')) return
    const world = createWorld(t)
    fs.chownSync(world.dir, who.uid, who.uid)
    await world.up({ prefix: who.prefix })
    await world.apply(
      'apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: STRICT}}',
    )
    const own = '127.0.0.1'
    const etcd = ['etcd', '--data-dir', path.join(world.dir, 'etcd'), '--listen-client-urls', `http://${own}:2379`]
    const more = ['--advertise-client-urls', 'http://etcd:2379', '--listen-peer-urls', `http://${own}:2380`]
    const args = ['run', '--service', 'etcd', '--port', '2379/tcp', ...captured, '--', ...etcd, ...more]
    const server = world.start('weft run etcd', args, { prefix: who.prefix })
    await until('etcd is ready', async () => {
      if (!server.isRunning) throw new Error(server.err)
      return /etcd .* yes /.test((await world.weft(['get', 'workloads'])).out)
    })
    const ctl = (...command: string[]) => inside(world, who, 'etcdctl', '--endpoints', 'http://etcd:2379', ...command)
    for (const [key, value] of [
      ['/books/1', 'Weaving'],
      ['/books/2', 'x'.repeat(100_000)],
    ] as const) {
      const put = await ctl('put', key, value)
      assert.equal(put.out, 'OK\n', put.err)
    }
    const got = await ctl('get', '--prefix', '/books/')
    assert.equal(got.out, `/books/1\nWeaving\n/books/2\n${'x'.repeat(100_000)}\n`, got.err)
    // A stream that is open for long, and hears what another connection changes.
    const watch = ['etcdctl', '--endpoints', 'http://etcd:2379', 'watch', '/books/1']
    const watching = world.start('weft run watcher', ['run', '--service', 'watcher', ...captured, '--', ...watch], {
      prefix: who.prefix,
    })
    await until('the change is heard', async () => {
      await ctl('put', '/books/1', 'Knotting')
      return watching.out.includes('PUT\n/books/1\nKnotting\n')
    })
    watching.signal('SIGTERM')
    await watching.ended
  })
}
