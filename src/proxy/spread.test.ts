import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createSpread, type Spread } from './spread.ts'
import { createMetrics } from './telemetry/metrics.ts'

const address = { host: '127.0.0.1', port: 80 }

/** A worker beside one other, which has `there` connections; real connections come by `accept`. */
async function worker(t: TestContext, there: () => number | undefined) {
  const clock = manualClock()
  const given: number[] = []
  const published: (number | undefined)[] = []
  const spread: Spread = createSpread({
    worker: 0,
    row: {
      publish: (count) => void published.push(count),
      fewestElsewhere() {
        const count = there()
        return count === undefined ? undefined : { row: 1, count }
      },
    },
    give(_, row, handle, done) {
      assert.ok(handle)
      given.push(row)
      done()
    },
    metrics: createMetrics({ clock }),
    clock,
  })
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  return {
    clock,
    spread,
    given,
    published,
    accept: async (): Promise<{ away: boolean; socket: net.Socket }> => {
      const client = net.connect(port, '127.0.0.1').on('error', () => {})
      t.after(() => client.destroy())
      const [socket] = (await once(server, 'connection')) as [net.Socket]
      t.after(() => socket.destroy())
      return { away: spread.accepted(address, socket), socket }
    },
  }
}

test('a connection goes to the worker with fewer; what is on its way there counts', async (t) => {
  const { accept, given, clock } = await worker(t, () => 0)
  assert.equal((await accept()).away, false, 'both have none')
  assert.equal((await accept()).away, true)
  assert.equal((await accept()).away, false, 'the other one has one soon')
  assert.equal((await accept()).away, true)
  assert.deepEqual(given, [1, 1])
  clock.advance(100)
  assert.equal((await accept()).away, true, 'they never showed there: it has none after all')
})

test('a little more than the other is nothing to move for, nobody else is nothing to move to', async (t) => {
  let there: number | undefined = 8
  const { accept, spread } = await worker(t, () => there)
  for (let index = 0; index < 11; index++) assert.equal((await accept()).away, false, `${index}`)
  assert.equal((await accept()).away, true)
  there = undefined
  assert.equal((await accept()).away, false)
  there = 0
  spread.close()
  assert.equal((await accept()).away, false, 'who leaves gives nothing away any more')
})

test('what comes from another worker is kept, or goes on to a third one after this one has closed', async (t) => {
  const { accept, spread, given } = await worker(t, () => 5)
  const [first, second] = [await accept(), await accept()]
  assert.equal(spread.given(address, first.socket), false)
  spread.close()
  assert.equal(spread.given(address, second.socket), true)
  assert.deepEqual(given, [1])
})

test('where many come and go, few are moved', async (t) => {
  const { accept, given, published } = await worker(t, () => 0)
  const { socket } = await accept()
  for (let index = 0; index < 200; index++) await accept()
  assert.equal(given.length, 64)
  const before = published.at(-1) ?? 0
  socket.destroy()
  await once(socket, 'close')
  assert.equal(published.at(-1), before - 1)
})
