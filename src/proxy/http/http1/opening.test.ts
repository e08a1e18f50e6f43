import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Http1ServerParts } from './server-parts.ts'
import { connect, echo, serve } from './testing/raw.ts'

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const get = (path: string, ...more: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: web', ...more, '', ''].join('\r\n')

/** Serves clients that may speak HTTP/2, and collects what those say. */
async function either(t: TestContext, more: Partial<Http1ServerParts> = {}) {
  const taken: { text: string; drains: boolean; socket: Socket }[] = []
  const served = await serve(t, echo, {
    ...more,
    http2(socket, drains) {
      const one = { text: '', drains, socket }
      taken.push(one)
      assert.equal(socket.isPaused(), true)
      socket.on('data', (chunk: Buffer) => (one.text += chunk.toString('latin1'))).resume()
    },
  })
  const until = async (text: string): Promise<void> => {
    while (taken[0]?.text !== text) await pause(1)
  }
  return { ...served, taken, until }
}

test('a client of HTTP/2 is handed over with all that it has said, however it comes', async (t) => {
  for (const pieces of [
    [`${preface}more`],
    ['P', 'RI * HT', 'TP/2.0\r', `\n\r\nSM\r\n\r\nmo`, 're'],
    `${preface}more`.split(''),
  ]) {
    const { port, taken, until, refused, outcomes } = await either(t)
    const peer = await connect(t, port)
    for (const piece of pieces) {
      peer.send(piece)
      await pause(1)
    }
    await until(`${preface}more`)
    assert.deepEqual([taken.length, taken[0]?.drains, refused.length, outcomes.length], [1, false, 0, 0])
    taken[0]?.socket.write('heard')
    await peer.until('heard')
  }
})

test('whatever else begins like it is HTTP/1, and the preface is no second request', async (t) => {
  const { port, taken, refused } = await either(t)
  for (const pieces of [
    [get('/')],
    ['P', 'OST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n'],
    ['\r\n', get('/')],
  ]) {
    const peer = await connect(t, port)
    for (const piece of pieces) {
      peer.send(piece)
      await pause(5)
    }
    await peer.until('HTTP/1.1 200 OK')
    peer.send(preface)
    assert.match(await peer.end(), /HTTP\/1\.1 505 /)
  }
  assert.deepEqual([taken.length, refused.length], [0, 3])
})

test('a client that has not said what it speaks: its end, silence, half a preface and a drain', async (t) => {
  const lazy = await either(t, { idleTimeoutMs: 30 })
  assert.equal(await (await connect(t, lazy.port)).end(), '')
  const slow = await either(t, { headersTimeoutMs: 30 })
  const half = await connect(t, slow.port)
  half.send('PRI * HT')
  assert.equal(await half.end(), '')
  const { port, connections, taken, until } = await either(t)
  const ending = await connect(t, port)
  ending.socket.end()
  assert.equal(await ending.end(), '')
  const drained = await connect(t, port)
  while (connections.length < 2) await pause(1)
  connections[1]?.drain(true)
  drained.send(preface)
  await until(preface)
  assert.equal(taken[0]?.drains, true)
  const cut = await connect(t, port)
  while (connections.length < 3) await pause(1)
  connections[2]?.drain(false)
  assert.equal(await cut.end(), '')
})

/** A client that never ends its own direction. */
async function halfOpen(t: TestContext, port: number): Promise<{ socket: Socket; received: Promise<string> }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  await once(socket, 'connect')
  return { socket, received: once(socket, 'end').then(() => text) }
}

test('after what a client calls its last request nobody waits for its end; after anything else they do', async (t) => {
  let closed = 0
  const { port } = await serve(t, echo, { closed: () => void closed++ })
  for (const last of [get('/', 'Connection: close'), 'GET / HTTP/1.0\r\nHost: web\r\n\r\n']) {
    const before = closed
    const { socket, received } = await halfOpen(t, port)
    socket.write(last)
    assert.match(await received, /200 OK[\s\S]*GET \/ @web/)
    // Far less than the time for which one would linger.
    for (let waits = 0; closed === before && waits < 1000; waits++) await pause(1)
    assert.equal(closed, before + 1, 'it waits for the end of who said that nothing comes')
  }
  for (const more of [`${get('/', 'Connection: close')}\r\n`, 'GET / HTTP/1.1\r\n\r\n']) {
    const before = closed
    const { socket, received } = await halfOpen(t, port)
    socket.write(more)
    assert.match(await received, /^HTTP\/1\.1 [24]00 [\s\S]*connection: close/)
    await pause(100)
    assert.equal(closed, before, 'it was closed before the client had read')
    socket.write('what is sent now is no reason for a reset')
    await pause(20)
    socket.end()
    await once(socket, 'close')
    while (closed === before) await pause(1)
  }
})

test('a long reply to the last request comes whole', async (t) => {
  const { port } = await serve(t, echo)
  const { socket, received } = await halfOpen(t, port)
  const body = 'x'.repeat(8_000_000)
  socket.write(`POST / HTTP/1.1\r\nHost: web\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  socket.pause()
  await pause(100)
  socket.resume()
  assert.ok((await received).endsWith(body))
})
