import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { listenOn, type ListenerHandle, type Tracked } from './listener.ts'

async function open(
  t: TestContext,
  accepted: (socket: Socket, tracked: Tracked) => void,
): Promise<{ handle: ListenerHandle; port: number; connect: () => Promise<Socket> }> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const handle = listenOn(server, { accepted, failed: assert.fail, clock: systemClock })
  t.after(() => handle.close())
  const connect = async (): Promise<Socket> => {
    const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {})
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { handle, port, connect }
}

test('sockets come paused and are counted until they close', async (t) => {
  let accepted: Socket | undefined
  let come = (): void => {}
  const arrived = new Promise<void>((resolve) => (come = resolve))
  const { handle, connect } = await open(t, (socket) => {
    accepted = socket
    come()
  })
  const client = await connect()
  await arrived
  assert.equal(accepted?.isPaused(), true)
  assert.equal(accepted?.allowHalfOpen, true)
  assert.equal(handle.open, 1)
  const closed = once(accepted ?? assert.fail(), 'close')
  client.destroy()
  accepted?.resume().on('end', () => accepted?.end())
  await closed
  assert.equal(handle.open, 0)
})

test('drain refuses new connections, asks the open ones to finish, and cuts what is left at the deadline', async (t) => {
  const drained: string[] = []
  let count = 0
  let both = (): void => {}
  const ready = new Promise<void>((resolve) => (both = resolve))
  const { handle, port, connect } = await open(t, (socket, tracked) => {
    const name = count++ === 0 ? 'polite' : 'stubborn'
    tracked.become({
      drain() {
        drained.push(name)
        if (name === 'polite') socket.destroy()
      },
      destroy: () => void socket.destroy(),
    })
    if (count === 2) both()
  })
  await connect()
  const stubborn = await connect()
  await ready
  const cut = once(stubborn.resume(), 'close')
  const done = handle.drain(50)
  assert.equal(handle.drain(50), done)
  const late = net.connect({ port, host: '127.0.0.1' })
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  await Promise.all([done, cut])
  assert.deepEqual(drained, ['polite', 'stubborn'])
  assert.equal(handle.open, 0)
})

test('a connection that becomes something while draining is asked at once', async (t) => {
  let track: Tracked | undefined
  let come = (): void => {}
  const arrived = new Promise<void>((resolve) => (come = resolve))
  const { handle, connect } = await open(t, (socket, tracked) => {
    track = tracked
    tracked.become({ drain() {}, destroy: () => void socket.destroy() })
    come()
  })
  await connect()
  await arrived
  const done = handle.drain(20)
  let asked = false
  await Promise.resolve()
  track?.become({ drain: () => (asked = true), destroy() {} })
  assert.equal(asked, true)
  handle.close()
  track?.become({ drain() {}, destroy() {} })
  void done
})
