import assert from 'node:assert/strict'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { probeReadiness, type Readiness } from './readiness-probe.ts'

async function listen(t: TestContext, port = 0): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  return { server, port: (server.address() as net.AddressInfo).port }
}

/** Moves time by hand until `changed` has been called `count` times. */
async function heardAfter(
  clock: ReturnType<typeof manualClock>,
  heard: readonly Readiness[],
  count: number,
): Promise<void> {
  for (let tries = 0; heard.length < count; tries++) {
    assert.ok(tries < 1000, `heard ${heard.length}, not ${count}`)
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(10)
  }
}

test('ready once every port answers, unready after two misses', async (t) => {
  const clock = manualClock()
  const [a, b] = [await listen(t), await listen(t)]
  b.server.close()
  const heard: Readiness[] = []
  const probe = probeReadiness([a.port, b.port], { clock, changed: (readiness) => heard.push(readiness) })
  t.after(() => probe.stop())
  await heardAfter(clock, heard, 1)
  assert.deepEqual(heard[0], { ready: false, reason: `nothing answers on port ${b.port}` })
  const again = await listen(t, b.port)
  await heardAfter(clock, heard, 2)
  assert.deepEqual(heard[1], { ready: true, reason: '' })
  again.server.close()
  const goneMs = clock.nowMs()
  await heardAfter(clock, heard, 3)
  assert.equal(heard[2]?.ready, false)
  assert.ok(clock.nowMs() - goneMs > 1000, 'one miss is not believed')
})

test('a program without ports is ready at once, and not asked again', async () => {
  const clock = manualClock()
  const heard: Readiness[] = []
  probeReadiness([], { clock, changed: (readiness) => heard.push(readiness) })
  await heardAfter(clock, heard, 1)
  assert.deepEqual(heard, [{ ready: true, reason: '' }])
  assert.equal(clock.pending, 0)
})

test('a program that greets first gets no reset', async (t) => {
  const { server, port } = await listen(t)
  const ended = new Promise<string>((resolve) =>
    server.on('connection', (socket) => {
      socket.write('220 hello\r\n'.repeat(100))
      socket.on('error', (error) => resolve(error.message))
      socket.on('end', () => resolve('end'))
      socket.resume()
    }),
  )
  const probe = probeReadiness([port], { clock: systemClock, changed() {} })
  t.after(() => probe.stop())
  assert.equal(await ended, 'end')
})
