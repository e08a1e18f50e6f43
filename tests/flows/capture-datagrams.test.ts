import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { startChild, type Child } from '../world/child.ts'
import {
  canCapture,
  captured,
  inside,
  machine,
  on,
  ordinary,
  ourselves,
  sidecarsOf,
  type Who,
} from '../world/capturing.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

// Datagrams of captured programs, other than DNS: taken to where they were for, or refused as they are sent, as MeshConfig says.

const program = path.join(import.meta.dirname, '../world/programs/datagrams.py')
const [v4, v6] = ['192.0.2.10', '2001:db8::10']

const meshConfig = (udp: string): string =>
  `apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {outboundTraffic: ${udp}}`

for (const ordinarily of [false, true]) {
  const who = ordinarily ? ordinary : ourselves
  test(`datagrams reach outside and their answers come back ${who.title}`, async (t) => {
    if (!requires(t, 'root') || !canCapture(t, who)) return
    const prefix = machine(t, v4)
    const [ip, ...address] = on(prefix, 'ip', '-6', 'address', 'add', `${v6}/128`, 'dev', 'lo')
    spawnSync(ip, address)
    const others: Child[] = []
    t.after(() => others.forEach((child) => child.killAll()))
    const world = createWorld(t)
    const caller: Who = { ...who, prefix: [...prefix, ...who.prefix] }
    fs.chownSync(world.dir, who.uid, who.uid)
    await world.up({ prefix: caller.prefix })
    for (const host of [v4, v6]) {
      const server = startChild(`server at ${host}`, on(prefix, 'python3', program, 'serve', host, '1123', '1514'), {
        env: world.env,
        cwd: world.dir,
      })
      others.push(server)
      await server.said(/serving/)
    }
    const web = await world.run('web', { args: captured, prefix: caller.prefix })
    for (const host of [v4, v6]) {
      const { out, err } = await inside(world, caller, 'python3', program, 'ask', host, '1123', '1514')
      assert.equal(
        out,
        'one socket, two servers: 1123 FIRST, 1514 SECOND\nconnected: HELLO\nbound to the same port: AGAIN\n' +
          '1000 asked, 1000 answered\nlarge: 60000\nnobody there: no answer\n',
        err,
      )
    }
    // A name of the mesh has no port for datagrams: HTTP/3 gives way at once.
    const refused = await inside(world, caller, 'python3', program, 'refused', 'web', '443')
    assert.equal(refused.out, 'refused\n', refused.err)

    assert.equal(await web.stop(), 0)
  })
}

test('a change of mind holds at once, is counted and told once; a sidecar that is replaced goes on carrying', async (t) => {
  if (!requires(t, 'root') || !canCapture(t, ourselves)) return
  const prefix = machine(t, v4)
  const others: Child[] = []
  t.after(() => others.forEach((child) => child.killAll()))
  const world = createWorld(t)
  await world.up({ prefix })
  const server = startChild('server', on(prefix, 'python3', program, 'serve', v4, '1123'), {
    env: world.env,
    cwd: world.dir,
  })
  others.push(server)
  await server.said(/serving/)
  const client = await world.run('client', {
    port: 0,
    args: captured,
    prefix,
    command: (report) => ['python3', program, 'steady', v4, '1123', report],
  })
  const metrics = async (): Promise<string> =>
    (await world.curl(undefined, `${client.adminUrl}/metrics`, { prefix })).body
  await client.child.said(/^HELLO$/m)
  assert.match(await metrics(), /^weft_udp_sessions_active\{destination_service="outbound\/passthrough"\} 1$/m)

  await world.apply(meshConfig('{mode: RegisteredOnly}'))
  await client.child.said(/^refused$/m)
  const told = /weft_udp_dropped_datagrams_total\{destination_service="outbound\/passthrough",reason="refused"\} [1-9]/
  const counted = await until('refusals are counted', async () => {
    const text = await metrics()
    return told.test(text) && text
  })
  assert.match(counted, /^weft_udp_sessions_active\{destination_service="outbound\/passthrough"\} 0$/m)
  await world.apply(meshConfig('{mode: RegisteredOnly, udp: Allow}'))
  await client.child.said(/^refused\n(?:silent\n)?HELLO$/m)
  assert.equal(
    client.child.err.match(/refused: datagrams .*destination="?192\.0\.2\.10:1123/g)?.length,
    1,
    client.child.err,
  )

  client.child.signal('SIGHUP')
  await client.child.said(/a new sidecar \(process \d+\) serves/)
  await until('the new one carries', async () => /weft_udp_received_datagrams_total\S* [1-9]/.test(await metrics()))
  const before = client.child.out
  const [first = 0] = sidecarsOf(client.child.pid ?? 0)
  process.kill(first, 'SIGKILL')
  await until('another one has taken its place', () => sidecarsOf(client.child.pid ?? 0).some((pid) => pid !== first))
  await until('it carries', async () => /weft_udp_received_datagrams_total\S* [1-9]/.test(await metrics()))
  assert.doesNotMatch(client.child.out.slice(before.length), /refused/)
  assert.equal(await client.stop(), 128 + 15)
})
