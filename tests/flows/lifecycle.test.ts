import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { processesWith } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf } from '../world/world.ts'

test("life cycle: the callee's sidecar is killed under 200 requests a second, and no GET fails", async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  // Some forty calls are under way when it happens.
  const load = startSteadyLoad('http://web/slow/200', { proxy: client.proxy, ratePerSecond: 200 })
  await load.more(100)
  const before = sidecarOf(web)
  process.kill(before, 'SIGKILL')
  await load.more(300)
  await load.stop()
  assert.deepEqual(load.failures(), [])
  assert.notEqual(sidecarOf(web), before)
  assert.ok(web.child.isRunning)
})

test('life cycle: calls under way are answered before their program hears that it has to stop, whatever it does then', async (t) => {
  if (!requires(t, 'linux')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  const port = await freePort()
  // It ends at once by SIGTERM.
  const abrupt = `
    require('node:http').createServer((_, response) => setTimeout(() => response.end('abrupt'), 300)).listen(${port}, '127.0.0.1')
    require('node:fs').writeFileSync(process.argv[1], JSON.stringify({ pid: process.pid, env: process.env }))
  `
  const other = await world.run('web', { port, command: (report) => [process.execPath, '-e', abrupt, report] })
  // Nobody sends a POST twice.
  const load = startSteadyLoad('http://web/slow/300', {
    proxy: client.proxy,
    ratePerSecond: 40,
    method: 'POST',
    tell: ({ body }) => body,
  })
  await until('it has calls', () => load.visits.some(({ told }) => told === 'abrupt'))
  await load.more(20)
  await other.stop()
  await load.more(20)
  await load.stop()
  assert.deepEqual(load.failures(), [])
})

test('life cycle: a killed agent leaves no program, no sidecar, no file and no workload behind', async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const web = await world.run('web')
  const there = fs.readdirSync(world.dir).toSorted()
  const own = (): readonly number[] =>
    processesWith('WEFT_DATA_DIR', world.dataDir)
      .map(({ pid }) => pid)
      .filter((pid) => pid === web.programPid)
  assert.deepEqual(own(), [web.programPid])
  const sidecar = sidecarOf(web)
  web.child.signal('SIGKILL')
  await until('the program has ended', () => own().length === 0)
  await until('the sidecar has ended', () => !fs.existsSync(`/proc/${sidecar}`))
  await until('the workload is gone', async () => {
    const { out } = await world.weft(['get', 'workloads'])
    return !out.includes(web.name)
  })
  assert.deepEqual(fs.readdirSync(world.dir).toSorted(), there)
})

test('life cycle: a program that fails is started again by its policy, and its status is told at the end', async (t) => {
  const world = createWorld(t)
  await world.up()
  const mark = `${world.dir}/ran`
  const script = `const fs = require('node:fs'); fs.appendFileSync('${mark}', 'x'); process.exit(fs.statSync('${mark}').size < 3 ? 4 : 0)`
  const run = ['run', '--service', 'job', '--capture', 'explicit', '--restart', 'on-failure']
  const { status, err } = await world.weft([...run, '--', process.execPath, '-e', script])
  assert.equal(status, 0, err)
  assert.equal(fs.readFileSync(mark, 'utf8'), 'xxx')
  assert.equal(err.match(/the program ended with status 4; it is started again in/g)?.length, 2, err)
  const wrong = await world.weft(['run', '--service', 'job', '--restart', 'sometimes', '--', 'true'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.err, /sometimes.*no, on-failure, always/s)
})

test('life cycle: a program is ready when its own check says so, and no call reaches it otherwise', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const port = await freePort()
  const up = path.join(world.dir, 'up')
  await world.run('web', {
    port,
    args: ['--ready', `exec:test -e ${up}`, '--ready', `http://:${port}/status/204`, '--ready-interval', '50ms'],
  })
  const refused = await world.curlUntil(client, 'http://web/', 503)
  assert.match(refused.body, /web/)
  world.file('up', '')
  await world.curlUntil(client, 'http://web/', 200)
  fs.rmSync(up)
  await world.curlUntil(client, 'http://web/', 503)
  const wrong = await world.weft(['run', '--service', 'web', '--ready', 'udp://:1', '--', 'true'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.err, /--ready "udp:\/\/:1": give http:/)
})
