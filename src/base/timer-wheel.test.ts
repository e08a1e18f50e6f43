import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { systemClock } from './clock.ts'
import { manualClock } from './testing/manual-clock.ts'
import { createTimerWheel } from './timer-wheel.ts'
import { seeded } from './random.ts'

test('fires once, never early and at most one tick late', () => {
  const clock = manualClock(3)
  const wheel = createTimerWheel(clock, 10)
  const random = seeded(7)
  for (let count = 0; count < 2_000; count++) {
    const setMs = clock.nowMs()
    const delayMs = random.index(12_000)
    let fired = 0
    wheel.after(delayMs, () => {
      fired++
      const tookMs = clock.nowMs() - setMs
      assert.ok(tookMs >= delayMs && tookMs <= delayMs + 20, `${delayMs} became ${tookMs}`)
    })
    if (count % 100 === 0) clock.advance(random.index(40))
    if (count === 1_999) {
      clock.advance(13_000)
      assert.equal(fired, 1)
    }
  }
  clock.advance(20)
  assert.equal(clock.pending, 0, 'no clock timer while nothing is set')
})

test('a cancelled timer is silent, a restarted one counts from the restart', () => {
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 10)
  let fired = 0
  const timer = wheel.timer(() => void fired++)
  timer.start(100)
  clock.advance(90)
  timer.start(100)
  clock.advance(95)
  assert.equal(fired, 0)
  assert.equal(timer.armed, true)
  clock.advance(15)
  assert.equal(fired, 1)
  timer.start(50)
  timer.cancel()
  timer.cancel()
  clock.advance(1_000)
  assert.equal(fired, 1)
  assert.equal(timer.armed, false)
})

test('a firing timer may cancel its neighbour and set itself again', () => {
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 10)
  const fired: string[] = []
  const second = wheel.timer(() => void fired.push('second'))
  const first = wheel.timer(() => {
    fired.push('first')
    second.cancel()
    if (fired.length < 3) first.start(10)
  })
  first.start(5)
  second.start(5)
  clock.advance(100)
  assert.deepEqual(fired, ['first', 'first', 'first'])
})

test('after a long stop of the process everything that is due fires at once', async () => {
  let nowMs = 0
  const ticks: (() => void)[] = []
  const clock = {
    ...manualClock(),
    nowMs: () => nowMs,
    every: (_: number, fire: () => void) => ({ cancel: ticks.push(fire) ? () => {} : () => {} }),
  }
  const wheel = createTimerWheel(clock, 10)
  let fired = 0
  for (const delayMs of [5, 500, 5_000, 6_000, 50_000]) wheel.after(delayMs, () => void fired++)
  nowMs = 100_000
  ticks[0]?.()
  // After what the kernel has had ready.
  assert.equal(fired, 0)
  await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(fired, 5)
})

test('after a pause of the whole process, what came meanwhile is heard before a deadline ends', async (t) => {
  const wheel = createTimerWheel(systemClock)
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  if (socket.connecting) await once(socket, 'connect')
  t.after(() => {
    server.close()
    peer.destroy()
  })
  const order: string[] = []
  const over = new Promise<void>((resolve) => {
    const tell = (what: string) => (): void => {
      order.push(what)
      if (order.length === 2) resolve()
    }
    socket.once('data', tell('answer'))
    wheel.after(50, tell('deadline'))
  })
  // Both are there when this process runs again, and timers are looked at first.
  peer.end('answer')
  const untilMs = performance.now() + 300
  while (performance.now() < untilMs);
  await over
  assert.deepEqual(order, ['answer', 'deadline'])
})
