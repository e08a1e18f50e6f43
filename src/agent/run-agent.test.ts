import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../base/clock.ts'
import { freePorts } from '../base/free-ports.ts'
import { silentLog } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import { createJoinTokens } from '../ca/join-token.ts'
import { agentWorld, type AgentWorld } from '../control/session/testing/agent-world.ts'
import type { AgentOptions, AgentParts } from './options.ts'
import { runAgent } from './run-agent.ts'

const standIn = fileURLToPath(new URL('testing/stand-in-sidecar.ts', import.meta.url))

/** Writes its environment, listens on PORT, ends with status 7 on SIGTERM, and by itself when END says so. */
const program = `
  const fs = require('node:fs'), net = require('node:net')
  const { OUT, PORT, END, LATE } = process.env
  fs.writeFileSync(OUT + '.new', JSON.stringify({ ...process.env, PID: process.pid })); fs.renameSync(OUT + '.new', OUT)
  if (END) process.exit(Number(END))
  const server = net.createServer((socket) => socket.end('program'))
  setTimeout(() => server.listen(Number(PORT), '127.0.0.1'), Number(LATE ?? 0))
  process.on('SIGTERM', () => { fs.appendFileSync(OUT, ' TERM'); process.exit(7) })
  process.on('message', () => {})
  setInterval(() => {}, 1000)
`

interface Run {
  readonly status: Promise<number>
  readonly said: string[]
  readonly port: number
  readonly out: string
  signal(name: NodeJS.Signals): void
}

async function start(
  t: TestContext,
  dataDir: string,
  over: Partial<AgentOptions> & { env?: Record<string, string> } = {},
): Promise<Run> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-agent-'))
  const { env = {}, ...options } = over
  const [port = 0] = await freePorts(1, systemRandom)
  const out = path.join(scratch, 'env.json')
  const signals = new EventEmitter()
  const said: string[] = []
  const parts: AgentParts = {
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    say: (line) => said.push(line),
    env: {
      PATH: process.env['PATH'],
      OUT: out,
      PORT: String(port),
      WEFT_TOKEN: 'secret',
      NO_PROXY: 'internal.test',
      ...env,
    },
    signals,
    sidecarScript: standIn,
  }
  let over_ = false
  const status = runAgent(
    {
      service: 'web',
      namespace: 'default',
      ports: [{ servicePort: 80, targetPort: port, protocol: 'http' }],
      labels: {},
      capture: 'explicit',
      workers: 1,
      inbound: [],
      dataDir,
      wait: true,
      restart: 'no',
      readiness: { checks: [], intervalMs: 1000, timeoutMs: 1000, failures: 2, successes: 1 },
      command: [process.execPath, '-e', program],
      version: '0.0.0',
      ...options,
    },
    parts,
  ).finally(() => (over_ = true))
  t.after(async () => {
    while (!over_) {
      signals.emit('SIGTERM', 'SIGTERM')
      await systemClock.sleep(20)
    }
    fs.rmSync(scratch, { recursive: true, force: true })
  })
  return { status, said, port, out, signal: (name) => void signals.emit(name, name) }
}

async function workloadIn({ store }: AgentWorld): Promise<any> {
  const { items } = await store.list({ kind: 'Workload' })
  return items[0]
}

async function untilWorkload(world: AgentWorld): Promise<any> {
  await until('it is registered', async () => (await workloadIn(world)) !== undefined)
  return workloadIn(world)
}

/** What the stand-in behind an address says: its process and the address. */
function visit({ address, port }: { address: string; port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    net
      .connect(port, address)
      .on('data', (chunk) => (text += String(chunk)))
      .on('end', () => resolve(text.trim()))
      .on('error', reject)
  })
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 500, `waited in vain until ${what}`)
    await systemClock.sleep(20)
  }
}
const ready = async (world: AgentWorld, name: string): Promise<void> => {
  for (;;) if ((await world.changes.next()) === `${name} ready`) return
}

test("registers, starts the sidecar, then the program with its environment; SIGTERM drains first, and the status is the program's", async (t) => {
  const world = await agentWorld(t)
  const run = await start(t, world.dir)
  assert.match(await world.changes.next(), /^default\/web-[a-z0-9]{5} not-ready$/)
  const { metadata, spec } = await workloadIn(world)
  const name = `default/${metadata.name}`
  assert.equal(await world.changes.next(), `${name} ready`)

  const { inbound } = spec.ports[0]
  assert.match(await visit(inbound), new RegExp(`^\\d+ 127\\.0\\.0\\.1:${inbound.port}$`))
  assert.match(await visit(spec.outbound), new RegExp(`127\\.0\\.0\\.1:${spec.outbound.port}$`))
  const env = JSON.parse(fs.readFileSync(run.out, 'utf8'))
  const proxy = `http://127.0.0.1:${spec.outbound.port}`
  for (const variable of ['HTTP_PROXY', 'http_proxy', 'WEFT_PROXY']) assert.equal(env[variable], proxy)
  for (const variable of ['NO_PROXY', 'no_proxy']) assert.equal(env[variable], 'localhost,127.0.0.1,::1,internal.test')
  assert.equal(env['NODE_USE_ENV_PROXY'], '1')
  assert.equal(env['WEFT_WORKLOAD'], metadata.name)
  assert.equal(env['WEFT_ADMIN'], `http://${metadata.annotations['weft.dev/admin']}`)
  assert.equal(env['WEFT_TOKEN'], undefined)

  const answer = await world.sessions.ask(name, 'config', undefined, 5000)
  assert.ok('json' in answer)
  const { what, start: told, env: sidecarEnv } = answer.json as any
  assert.equal(what, 'config')
  assert.deepEqual([told.nodeId, told.workload, told.xdsAddress], [name, metadata.name, '127.0.0.1:15012'])
  assert.ok(!sidecarEnv.includes('WEFT_TOKEN') && !sidecarEnv.includes('OUT'))

  run.signal('SIGTERM')
  assert.equal(await world.changes.next(), `${name} draining`)
  assert.ok(!fs.readFileSync(run.out, 'utf8').endsWith('TERM'), 'the program hears of it after the drain')
  world.drains[0]?.acked([])
  assert.equal(await run.status, 7)
  assert.ok(fs.readFileSync(run.out, 'utf8').endsWith('TERM'))
  assert.equal(await workloadIn(world), undefined)
  await assert.rejects(visit(inbound), /ECONNREFUSED/)
  assert.deepEqual(run.said, [])
})

test('a program that ends by itself gives its status, and the workload leaves', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { env: { END: '5' } })
  assert.equal(await run.status, 5)
  assert.equal(await workloadIn(world), undefined)
})

test('a program killed by a signal gives 128 + n', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { command: ['sh', '-c', 'kill -KILL $$'], ports: [] })
  assert.equal(await run.status, 137)
})

test('a program that fails is started again, is not ready meanwhile, and each time it is said', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { restart: 'on-failure', env: { END: '3' } })
  await until('it was started again twice', () => run.said.length >= 2)
  assert.match(run.said[0] ?? '', /^weft run: web: the program ended with status 3; it is started again in 0\.\d s$/)
  assert.deepEqual([...world.health.values()], ['not-ready'])
  run.signal('SIGTERM')
  await run.status
  assert.equal(await workloadIn(world), undefined)
})

test('a program that is killed comes back as the same workload, ready again', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { restart: 'always' })
  const { metadata } = await untilWorkload(world)
  const name = `default/${metadata.name}`
  await ready(world, name)
  process.kill(Number(JSON.parse(fs.readFileSync(run.out, 'utf8'))['PID']), 'SIGKILL')
  assert.equal(await world.changes.next(), `${name} not-ready`)
  assert.equal(await world.changes.next(), `${name} ready`)
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('with on-failure a program that ends well has ended', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { restart: 'on-failure', env: { END: '0' } })
  assert.equal(await run.status, 0)
  assert.deepEqual(run.said, [])
})

test('a second signal ends the wait for the drain', async (t) => {
  const world = await agentWorld(t)
  const run = await start(t, world.dir)
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
  run.signal('SIGTERM')
  await until('it drains', () => world.drains.length === 1)
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('a crashed sidecar is replaced on the same sockets, and the program goes on', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir)
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
  const { spec } = await workloadIn(world)
  const before = await visit(spec.ports[0].inbound)
  process.kill(Number(before.split(' ')[0]), 'SIGKILL')
  // Never refused: the socket is ours, and what comes in waits for the next sidecar.
  const visits = Array.from({ length: 20 }, () => visit(spec.ports[0].inbound))
  const pids = new Set(
    (await Promise.allSettled(visits)).map((one) =>
      one.status === 'fulfilled' ? one.value : `refused: ${one.reason}`,
    ),
  )
  assert.equal([...pids].filter((one) => one.startsWith('refused')).length, 0, [...pids].join('; '))
  await until('another process answers', async () => (await visit(spec.ports[0].inbound)) !== before)
  assert.deepEqual([...world.health.values()], ['ready'])
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('a control plane that restarts finds the same workload, and the program noticed nothing', async (t) => {
  const one = await agentWorld(t)
  const run = await start(t, one.dir)
  await until('the program is ready', () => [...one.health.values()].includes('ready'))
  const { metadata, spec } = await workloadIn(one)
  await one.close()
  await visit(spec.ports[0].inbound)
  const two = await agentWorld(t, { dir: one.dir, store: one.store, restartTermMs: 4000, laggards: [] })
  await until('the session is back', () => two.sessions.list().some(({ connected }) => connected))
  assert.deepEqual(
    two.sessions.list().map(({ workload, state }) => [workload, state]),
    [[`default/${metadata.name}`, 'ready']],
  )
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('a control plane that lost its memory gets the workload again, under the same name', async (t) => {
  const one = await agentWorld(t)
  const run = await start(t, one.dir)
  await until('the program is ready', () => [...one.health.values()].includes('ready'))
  const { metadata } = await workloadIn(one)
  await one.close()
  const two = await agentWorld(t, { dir: one.dir, laggards: [] })
  await ready(two, `default/${metadata.name}`)
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('while the control plane is away, a signal still ends everything', async (t) => {
  const world = await agentWorld(t)
  const run = await start(t, world.dir)
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
  await world.close()
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('waits for the control plane and says so; joins once it is there', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-agent-'))
  const run = await start(t, dir)
  await until('it says what it waits for', () => run.said.length > 0)
  assert.match(
    run.said[0] ?? '',
    /^weft run: waiting: the control plane at .*agent\.sock cannot be reached: .*ENOENT.*\(is `weft up` running\?\)$/,
  )
  const world = await agentWorld(t, { dir, laggards: [] })
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('a signal ends the wait', async (t) => {
  const run = await start(t, '/nowhere')
  await until('it waits', () => run.said.length > 0)
  run.signal('SIGINT')
  assert.equal(await run.status, 130)
})

test('by token over the network: pinned root, own certificate, renewed while it runs', async (t) => {
  const world = await agentWorld(t, { leafTtlMs: 4000, laggards: [] })
  const { ca, tokens, address } = world
  const wish = { ttlMs: 60_000, address: `127.0.0.1:${address.port}`, rootHash: ca.rootHash }
  const run = await start(t, '/nowhere', { tokenText: tokens.issue(wish) })
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
  const { metadata } = await workloadIn(world)
  await until('the sidecar has a third certificate', async () => {
    const answer = await world.sessions.ask(`default/${metadata.name}`, 'certs', undefined, 1000)
    return 'json' in answer && (answer.json as any).identities >= 3
  })
  run.signal('SIGTERM')
  assert.equal(await run.status, 7)
})

test('a program that is slow to listen is not ready before', async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const run = await start(t, world.dir, { env: { LATE: '400' } })
  await until('the program runs', () => fs.existsSync(run.out))
  assert.deepEqual([...world.health.values()], ['not-ready'])
  await until('the program is ready', () => [...world.health.values()].includes('ready'))
})

const refusals: [
  string,
  (world: AgentWorld) => Promise<Partial<AgentOptions>> | Partial<AgentOptions>,
  number,
  RegExp,
][] = [
  [
    'a command that is not there',
    () => ({ command: ['no-such-command'] }),
    1,
    /^weft run: command not found: no-such-command$/,
  ],
  [
    'a file that is no command',
    () => ({ command: ['/etc/passwd'] }),
    1,
    /^weft run: \/etc\/passwd cannot be executed$/,
  ],
  ['text that is no token', () => ({ tokenText: 'hello' }), 1, /no join token/],
  [
    'an expired token',
    ({ ca, tokens, address }) => ({
      tokenText: tokens.issue({ ttlMs: -1, address: `127.0.0.1:${address.port}`, rootHash: ca.rootHash }),
    }),
    1,
    /^weft run: the join token expired at /,
  ],
  [
    'a token for whoever has the root of another mesh, who is not believed',
    ({ ca, tokens, address }) => {
      const rootHash = ca.rootHash.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
      const wish = { ttlMs: 60_000, address: `127.0.0.1:${address.port}`, rootHash }
      return { wait: false, tokenText: tokens.issue(wish) }
    },
    1,
    /^weft run: the control plane at 127\.0\.0\.1:\d+ cannot be reached: .*root/,
  ],
  [
    'a token that another control plane has made',
    ({ ca, address }) => {
      const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-agent-'))
      const others = createJoinTokens({ dir, clock: systemClock })
      assert.ok(!('refused' in others))
      const wish = { ttlMs: 60_000, address: `127.0.0.1:${address.port}`, rootHash: ca.rootHash }
      return { tokenText: others.issue(wish) }
    },
    1,
    /^weft run: the join token was made by another control plane; make one here with `weft token create`$/,
  ],
  [
    'a control plane that is not there, unless it may wait',
    () => ({ wait: false, dataDir: '/nowhere' }),
    1,
    /cannot be reached/,
  ],
  ['a bad service name', () => ({ service: 'Web!' }), 1, /service "Web!" is no name/],
  [
    'a sidecar that gives up',
    () => ({ service: 'unlucky' }),
    1,
    /^weft run: the sidecar did not start: no luck today$/,
  ],
  [
    'a port given twice',
    () => ({
      ports: [
        { servicePort: 80, targetPort: 1 },
        { servicePort: 80, targetPort: 2 },
      ],
    }),
    2,
    /port 80 is declared twice/,
  ],
  ['an advertised name', () => ({ advertise: 'localhost' }), 2, /--advertise localhost: give an IP address/],
  [
    'an address of another machine',
    () => ({ advertise: '192.0.2.1' }),
    1,
    /inbound address of port 80 192\.0\.2\.1:0: not an address of this machine/,
  ],
  [
    'an inbound address for no port',
    () => ({ inbound: [{ port: 'x', address: { host: '127.0.0.1', port: 0 } }] }),
    2,
    /--inbound x=127\.0\.0\.1:0: no --port has that name/,
  ],
]
for (const [what, over, status, why] of refusals) {
  test(`refused with one line: ${what}`, async (t) => {
    const world = await agentWorld(t, { laggards: [] })
    const run = await start(t, world.dir, await over(world))
    assert.equal(await run.status, status)
    assert.equal(run.said.length, 1)
    assert.match(run.said[0] ?? '', why)
  })
}

test("a port that another program has is refused, the program's and the admin's", async (t) => {
  const world = await agentWorld(t, { laggards: [] })
  const other = net.createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as net.AddressInfo
  const mine = await start(t, world.dir, { ports: [{ servicePort: 80, targetPort: port }] })
  assert.equal(await mine.status, 1)
  assert.deepEqual(mine.said, [`weft run: port ${port} is in use by another program`])
  const admin = await start(t, world.dir, { admin: { host: '127.0.0.1', port } })
  assert.equal(await admin.status, 1)
  assert.deepEqual(admin.said, [`weft run: admin address 127.0.0.1:${port}: the port is in use`])
})
