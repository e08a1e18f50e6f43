import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { seeded } from '../base/random.ts'
import { createSweeper } from '../base/sweeper.ts'
import { systemClock } from '../base/clock.ts'
import { joinSockets, type Carried } from './join-sockets.ts'
import { program } from './testing/world.ts'

/** A relay of one connection in front of a program; `carried` is told when both sides are closed. */
async function relay(
  t: TestContext,
  serve: (socket: Socket) => void,
): Promise<{ readonly client: Socket; readonly carried: Promise<Carried> }> {
  const to = await program(t, serve)
  const sweeper = createSweeper(systemClock, 1_000)
  const { promise, resolve } = Promise.withResolvers<Carried>()
  const at = await program(t, (downstream) => {
    downstream.pause()
    const upstream = net.connect({ ...to, allowHalfOpen: true })
    upstream.once('connect', () => joinSockets(downstream, upstream, { idleTimeoutMs: 0, sweeper }, resolve))
  })
  const client = net.connect({ ...at, allowHalfOpen: true }).on('error', () => {})
  t.after(() => (client.destroy(), sweeper.close()))
  return { client, carried: promise }
}

const size = 48 * 1024 * 1024
const block = Buffer.alloc(1 << 20)
for (let index = 0; index < block.length; index++) block[index] = (index * 31 + (index >> 11)) & 255

/** Writes `size` bytes in pieces of all lengths, and the end; their hash. */
async function send(socket: Socket, seed: number): Promise<string> {
  const random = seeded(seed)
  const hash = createHash('sha256')
  for (let sent = 0; sent < size;) {
    const from = random.below(block.length - 1)
    const piece = block.subarray(from, Math.min(block.length, from + 1 + random.below(400_000), from + size - sent))
    hash.update(piece)
    sent += piece.length
    if (!socket.write(piece)) await once(socket, 'drain')
  }
  socket.end()
  return hash.digest('hex')
}

/** Reads to the end; stands still now and then. */
async function receive(socket: Socket): Promise<string> {
  const hash = createHash('sha256')
  let chunks = 0
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    hash.update(chunk as Buffer)
    if (++chunks % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 3))
  }
  return hash.digest('hex')
}

test('much goes both ways at once, at different paces, whole and counted', async (t) => {
  const there = Promise.withResolvers<[string, string]>()
  const { client, carried } = await relay(
    t,
    (socket) => void Promise.all([send(socket, 1), receive(socket)]).then(there.resolve, there.reject),
  )
  const [sent, received] = await Promise.all([send(client, 2), receive(client)])
  assert.deepEqual(await there.promise, [received, sent])
  assert.deepEqual(await carried, { received: size, sent: size })
})

test('who has ended its own way still gets all', async (t) => {
  const sent = Promise.withResolvers<string>()
  const { client, carried } = await relay(t, (socket) => {
    socket.resume().on('end', () => void send(socket, 3).then(sent.resolve, sent.reject))
  })
  client.end('now')
  assert.equal(await receive(client), await sent.promise)
  assert.deepEqual(await carried, { received: 3, sent: size })
})

test('a connection that is reset does not look ended, whatever it was doing', async (t) => {
  for (let round = 0; round < 8; round++) {
    const { client, carried } = await relay(t, (socket) => {
      socket.on('error', () => {})
      let left = 4 + round
      const more = (): void => void (left-- > 0 ? socket.write(block, more) : socket.resetAndDestroy())
      more()
    })
    const how = await new Promise((resolve) => {
      client
        .resume()
        .on('end', () => resolve('ended'))
        .on('close', () => resolve('cut'))
    })
    assert.equal(how, 'cut')
    await carried
  }
})
