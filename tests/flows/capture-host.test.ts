import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { startChild, type Child } from '../world/child.ts'
import { machine, on, ordinary } from '../world/capturing.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { twoMachines } from '../world/two-machines.ts'
import { until } from '../world/until.ts'
import { createWorld, echoProgram } from '../world/world.ts'

test('rules for a whole network namespace: installed once, catching another user, gone without a trace', async (t) => {
  if (!requires(t, 'linux', 'root', 'ip', 'nft', 'curl', 'setpriv')) return
  const world = createWorld(t)
  // As a machine with a way out has it: every address has a route.
  const prefix = machine(t, '10.98.0.1')
  const inside = (...command: string[]): string => {
    const [file = '', ...args] = [...prefix, ...command]
    const { status, stdout, stderr } = spawnSync(file, args, {
      encoding: 'utf8',
      env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    })
    assert.equal(status, 0, stderr)
    return stdout
  }
  inside('ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo')
  const capture = (...args: string[]) => world.weft(['capture', ...args], { prefix })
  const client = (...args: string[]) =>
    world.weft(['run', '--service', 'client', '--capture', 'host', '--', ...ordinary.prefix, ...args], { prefix })

  await world.up({ prefix })
  await world.run('web', { prefix })
  const bare = await client('true')
  assert.equal(bare.status, 1)
  assert.match(bare.err, /no rules are installed here; as root: weft capture install --except-user 0/)
  assert.equal((await capture('show')).status, 1)
  assert.equal((await capture('remove')).status, 0, 'nothing to remove is no error')
  assert.match((await capture('install')).err, /say whose calls pass by/)
  assert.match((await capture('install', '--except-user', 'no-such-user')).err, /is no user/)

  // Rules under which the sidecar would call itself for ever.
  assert.equal((await capture('install', '--except-user', '4242')).status, 0)
  assert.match((await client('true')).err, /the rules would catch what the sidecar itself sends \(user 0\)/)

  const installed = await capture('install', '--except-user', 'root', '--except-mark', '0x77')
  assert.deepEqual([installed.status, installed.err], [0, ''])
  assert.match(installed.out, /but not of users 0; nor with marks 119/)
  const once = inside('nft', 'list', 'ruleset')
  assert.equal((await capture('install', '--except-user', '0', '--except-mark', '119')).status, 0)
  assert.equal(inside('nft', 'list', 'ruleset'), once, 'the same again is the same')
  assert.deepEqual(JSON.parse((await capture('show', '-o', 'json')).out), {
    installed: true,
    exceptUsers: [0],
    onlyUsers: [],
    exceptMarks: [119],
    inboundPorts: 'all',
    exceptInboundPorts: [22],
  })

  assert.equal((await world.weft(['check', '--machine', '--capture', 'host'], { prefix })).status, 0)

  // Neither told nor configured: by name, through DNS and the sidecar, to the program.
  const answer = await client('curl', '--silent', '--show-error', '--max-time', '10', '--include', 'http://web/')
  assert.equal(answer.status, 0, answer.err)
  assert.match(answer.out, /^HTTP\/1\.1 200/)
  assert.match(answer.out, /spiffe:\/\/weft\.local\/ns\/default\/sa\/client/, 'web saw who called')
  // Another user's calls are caught, the sidecar's user's are not.
  const passed = await world.weft(
    ['run', '--service', 'other', '--capture', 'host', '--', 'curl', '--silent', '--max-time', '5', 'http://web/'],
    { prefix },
  )
  assert.notEqual(passed.status, 0, 'root is excepted, and has no name of the mesh')

  assert.equal((await capture('remove')).status, 0)
  assert.equal(inside('nft', 'list', 'ruleset').trim(), '')
  assert.match((await capture('show')).out, /no rules are installed/)
})

test("a program's own port is no way around its sidecar where the rules of its machine say so", async (t) => {
  if (!requires(t, 'linux', 'root', 'ip', 'nft', 'curl', 'python3', 'setpriv')) return
  const { one, two } = await twoMachines(t)
  // Before the world's own end, which finds everything that is left.
  const others: Child[] = []
  t.after(() => others.forEach((other) => other.killAll()))
  const world = createWorld(t)
  fs.chownSync(world.dir, ordinary.uid, ordinary.uid)
  await world.up({ prefix: one, host: '10.77.0.1', args: ['--advertise', '10.77.0.1'] })
  const capture = (...args: string[]) => world.weft(['capture', ...args], { prefix: one })
  for (const wrong of ['http', '0', '70000', ''])
    assert.match(
      (await capture('install', '--except-user', '0', '--inbound-ports', wrong)).err,
      /is no port: give numbers/,
    )
  const installed = await capture('install', '--except-user', '0', '--exclude-inbound-ports', '9090')
  assert.match(installed.out, /connections from outside to all ports but 22, 9090 go to it first/)

  // On every address, as most programs do; and two other ports, which nobody declared.
  const port = await freePort()
  const web = await world.run('web', {
    port,
    prefix: one,
    args: ['--capture', 'host', '--advertise', '10.77.0.1'],
    command: (report) => [...ordinary.prefix, process.execPath, echoProgram, 'web', `${port}`, report, '0.0.0.0'],
  })
  for (const other of ['9090', '9191']) {
    const command = on(one, 'python3', '-m', 'http.server', other)
    others.push(startChild(`port ${other}`, command, { env: world.env, cwd: world.dir }))
  }
  const from = async (prefix: readonly string[], at: string | number): Promise<string> => {
    const { status, headers } = await world.curl(undefined, `http://10.77.0.1:${at}/status/200`, { prefix })
    return `${status} ${(headers['server'] ?? []).join()}`
  }
  const metrics = async (): Promise<string> =>
    (await world.curl(undefined, `${web.adminUrl}/metrics`, { prefix: one })).body
  const plainText = /weft_plaintext_requests_total\{[^}]*\} [1-9]/

  // Only the sidecar counts plain text: it has come by it.
  await until('the program is reached', async () => (await from(two, port)).startsWith('200'))
  await until('its sidecar has seen it', async () => plainText.test(await metrics()))
  for (const other of ['9090', '9191'])
    await until(`port ${other} is reached`, async () => /SimpleHTTP/.test(await from(two, other)))
  const passedOn = /weft_tcp_connections_total\{[^}]*inbound[^}]*\} (\d+)/
  assert.ok(passedOn.test(await metrics()), 'one of them by the sidecar, which leaves it as it is')

  await world.apply(
    'apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: STRICT}}',
  )
  await until('plain text is refused at the port of the program', async () => (await from(two, port)) === '0 ')
  assert.match(await from(two, '9090'), /SimpleHTTP/)
  // Whoever is of the mesh is let in by mTLS, also at the address that endpoints have.
  const token = world.file('join.token', (await world.weft(['token', 'create'], { prefix: one })).out)
  const far = await world.run('far', { port: 0, prefix: two, args: ['--token-file', token] })
  await world.curlUntil(far, 'http://web/', 200, { prefix: two })
  // What nobody caught is never sent round in a circle.
  assert.equal(await from(two, 15_006), '0 ')

  assert.equal((await capture('remove')).status, 0)
  assert.match(await from(two, port), /^200/, 'the back door is open again')
})
