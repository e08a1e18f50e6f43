import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createSocketDesk, formatSocket, type DeskState } from './socket-desk.ts'
import type { HeldSocket } from './sockets.ts'

/** Takes note of what it is lent. */
function fakeChild(): { lend: (socket: HeldSocket) => void; lent: number[] } {
  const lent: number[] = []
  return { lend: ({ address }) => void lent.push(address.port), lent }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('a socket is lent when it is wanted, again to the next sidecar, and closed when it is not', async () => {
  const states: DeskState[] = []
  const desk = createSocketDesk({ clock: manualClock(), changed: (state) => states.push(state) }).seat()
  const [a, b] = [await freePort(), await freePort()]
  const first = fakeChild()
  desk.launched()
  desk.want({ host: '127.0.0.1', port: a }, first.lend)
  desk.want({ host: '127.0.0.1', port: b }, first.lend)
  desk.settled()
  assert.deepEqual(first.lent, [a, b])

  const next = fakeChild()
  desk.launched()
  desk.want({ host: '127.0.0.1', port: a }, next.lend)
  assert.equal(
    states.at(-1)?.open.length,
    2,
    'what the first one wanted stays open until the next one has said what it wants',
  )
  desk.settled()
  assert.deepEqual(next.lent, [a])
  assert.deepEqual(states.at(-1), { open: [{ host: '127.0.0.1', port: a }], missing: [] })

  desk.release({ host: '127.0.0.1', port: a })
  assert.deepEqual(states.at(-1), { open: [], missing: [] })
  const server = net.createServer().listen(a, '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

test('a socket of two workers is lent to both, and closed when neither wants it', async () => {
  const states: DeskState[] = []
  const desk = createSocketDesk({ clock: manualClock(), changed: (state) => states.push(state) })
  const address = { host: '127.0.0.1', port: await freePort() }
  const [a, b, next] = [fakeChild(), fakeChild(), fakeChild()]
  const [one, other] = [desk.seat(), desk.seat()]
  one.want(address, a.lend)
  other.want(address, b.lend)
  assert.deepEqual([a.lent, b.lent], [[address.port], [address.port]])
  one.launched()
  one.settled()
  assert.deepEqual(states.at(-1)?.open, [address], 'the other one has it still')
  one.want(address, next.lend)
  assert.deepEqual(next.lent, [address.port])
  other.release(address)
  assert.deepEqual(states.at(-1)?.open, [address])
  one.release(address)
  assert.deepEqual(states.at(-1)?.open, [])
})

test('what is in use is told, and tried again every second', async () => {
  const clock = manualClock()
  const states: DeskState[] = []
  const desk = createSocketDesk({ clock, changed: (state) => states.push(state) })
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const { lend, lent } = fakeChild()
  desk.seat().want({ host: '127.0.0.1', port }, lend)
  assert.match(states.at(-1)?.missing[0]?.reason ?? '', /in use/)
  taken.close()
  await once(taken, 'close')
  clock.advance(1000)
  assert.deepEqual(lent, [port])
  assert.deepEqual(states.at(-1)?.missing, [])
  desk.close()
})

test('a UDP socket and a TCP one of the same port are two', async () => {
  const states: DeskState[] = []
  const desk = createSocketDesk({ clock: manualClock(), changed: (state) => states.push(state) })
  const port = await freePort()
  const seat = desk.seat()
  const at = { host: '127.0.0.1', port }
  const lent = await new Promise<HeldSocket>((resolve) => {
    seat.want({ ...at, udp: true }, resolve)
  })
  seat.want(at, () => {})
  assert.deepEqual(lent.address, at)
  assert.deepEqual(states.at(-1)?.open.map(formatSocket), [`127.0.0.1:${port}/udp`, `127.0.0.1:${port}`])

  const other = dgram.createSocket('udp4')
  const failed = once(other, 'error') as Promise<[NodeJS.ErrnoException]>
  other.bind(port, '127.0.0.1')
  assert.equal((await failed)[0].code, 'EADDRINUSE')
  seat.release({ ...at, udp: true })
  assert.deepEqual(states.at(-1)?.open, [at])

  desk.close()
})

test('a UDP socket that cannot be bound is told, and tried again', async () => {
  const clock = manualClock()
  const taken = dgram.createSocket('udp4')
  taken.bind(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address()
  const missing = Promise.withResolvers<string>()
  const lent = Promise.withResolvers<HeldSocket>()
  const desk = createSocketDesk({ clock, changed: ({ missing: [first] }) => first && missing.resolve(first.reason) })
  desk.seat().want({ host: '127.0.0.1', port, udp: true }, lent.resolve)
  assert.equal(await missing.promise, `listener 127.0.0.1:${port}/udp: the port is in use`)
  taken.close()
  await once(taken, 'close')
  clock.advance(1000)
  assert.equal((await lent.promise).address.port, port)
  desk.close()
})
