import assert from 'node:assert/strict'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createFlapping } from './flapping.ts'
import { answersOn, performCheck } from './readiness-check.ts'
import { probeReadiness, type Readiness } from './readiness-probe.ts'

async function listen(t: TestContext, port = 0): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  return { server, port: (server.address() as net.AddressInfo).port }
}

const pace = { intervalMs: 1000, timeoutMs: 1000, failures: 2, successes: 1 }
const tcp = (port: number) => (): Promise<string | undefined> =>
  performCheck({ kind: 'tcp', port }, { clock: systemClock, timeoutMs: 1000, env: {}, prefix: [] })

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
  const probe = probeReadiness([tcp(a.port), tcp(b.port)], {
    clock,
    pace,
    flapping: createFlapping(),
    changed: (readiness) => heard.push(readiness),
  })
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
  probeReadiness([], { clock, pace, flapping: createFlapping(), changed: (readiness) => heard.push(readiness) })
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
  assert.ok(await answersOn(port, systemClock))
  assert.equal(await ended, 'end')
})

test('one that comes and goes must be well for longer each time, until it has settled', async (t) => {
  const clock = manualClock()
  const heard: Readiness[] = []
  let well = true
  const flapping = createFlapping()
  const probe = probeReadiness([() => Promise.resolve(well ? undefined : 'unwell')], {
    clock,
    pace: { ...pace, failures: 1 },
    flapping,
    changed: (readiness) => heard.push(readiness),
  })
  t.after(() => probe.stop())
  const turn = async (to: boolean): Promise<number> => {
    well = to
    const startMs = clock.nowMs()
    while (heard.at(-1)?.ready !== to) await heardAfter(clock, heard, heard.length + 1)
    return clock.nowMs() - startMs
  }
  await turn(true)
  const took: number[] = []
  for (let falls = 0; falls < 5; falls++) {
    await turn(false)
    took.push(await turn(true))
  }
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = took
  assert.ok(first < 300 && second < 300, took.join())
  assert.ok(third >= 1000 && third < 1500 && fourth >= 2000 && fourth < 2500 && fifth >= 4000, took.join())
  assert.ok(heard.some(({ reason }) => reason === 'it comes and goes: it must be well for 2 s first'))
  assert.equal(flapping.wellForMs(clock.nowMs() + 60_000), 0)
})

test('who has just started is asked often, later less', async (t) => {
  const clock = manualClock()
  const askedMs: number[] = []
  const probe = probeReadiness([() => Promise.resolve(askedMs.push(clock.nowMs()) > 0 ? 'not yet' : undefined)], {
    clock,
    pace,
    flapping: createFlapping(),
    changed() {},
  })
  t.after(() => probe.stop())
  while (clock.nowMs() < 2000) await Promise.resolve(clock.advance(10)).then(() => new Promise(setImmediate))
  const within = (fromMs: number, toMs: number): number => askedMs.filter((ms) => ms >= fromMs && ms < toMs).length
  assert.ok(within(0, 1000) >= 45, askedMs.join())
  assert.ok(within(1100, 2000) <= 10, askedMs.join())
})

test('thresholds: so many failures, so many successes', async (t) => {
  const clock = manualClock()
  const heard: Readiness[] = []
  const answers = ['a', undefined, 'b', undefined, undefined, undefined, 'c', 'd', undefined, 'e', 'f', 'g']
  let asked = 0
  const probe = probeReadiness([() => Promise.resolve(answers[asked++])], {
    clock,
    pace: { ...pace, failures: 3, successes: 3 },
    flapping: createFlapping(),
    changed: (readiness) => heard.push(readiness),
  })
  t.after(() => probe.stop())
  while (asked < answers.length) await Promise.resolve(clock.advance(10)).then(() => new Promise(setImmediate))
  await heardAfter(clock, heard, 6)
  const early = 'it has not been well often enough yet'
  assert.deepEqual(
    heard.slice(0, 6).map(({ ready, reason }) => (ready ? 'ready' : reason)),
    ['a', early, 'b', early, 'ready', 'g'],
  )
})
