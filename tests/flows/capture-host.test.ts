import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { machine, ordinary } from '../world/capturing.ts'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

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
