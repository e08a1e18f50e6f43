import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import { program } from '../../src/proxy/testing/world.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy, type BareProxy } from './bare-proxy.ts'

const answering = (t: TestContext): Promise<Address> =>
  program(t, (socket) => socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')))

/** A connection that counts what it is told. */
class Client {
  readonly socket: Socket
  text = ''
  constructor(t: TestContext, at: Address) {
    this.socket = net.connect(at).on('error', () => {})
    this.socket.on('data', (chunk: Buffer) => void (this.text += chunk.toString('latin1')))
    t.after(() => this.socket.destroy())
  }
  ask(): void {
    this.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  }
  /** Status and `x-weft-fault` of the last answer; "gone" when it was closed without one. */
  get answer(): string | undefined {
    const status = /^HTTP\/1\.1 (\d+)/.exec(this.text)?.[1]
    if (status === undefined) return this.socket.destroyed ? 'gone' : undefined
    return [status, ...(/x-weft-fault: (\S+)/.exec(this.text)?.slice(1) ?? [])].join(' ')
  }
}

const outcomes = (clients: readonly Client[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { answer = 'none' } of clients) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

const metric = async (proxy: BareProxy, form: RegExp): Promise<number> =>
  Number(form.exec((await proxy.admin('/metrics')).body)?.[1] ?? 0)

test('with few file descriptors: those who are served are served on, others hear 503 or are refused, the admin port answers', async (t) => {
  if (!requires(t, 'linux', 'prlimit')) return
  const to = await answering(t)
  const proxy = await startBareProxy(createWorld(t), to, { prefix: ['prlimit', '--nofile=256:256'] })
  const clients = Array.from({ length: 500 }, () => new Client(t, proxy.at))
  await until('each of 500 clients has its place or has none', async () => {
    const refused = await metric(proxy, /^weft_refused_total\{.*reason="overload".*\} (\d+)/m)
    return refused === 500 - 96
  })
  for (const client of clients) if (!client.socket.destroyed) client.ask()
  await until('all have heard', () => !('none' in outcomes(clients)))
  assert.deepEqual(outcomes(clients), { '200': 84, '503 overload': 12, gone: 404 })
  const [shed] = clients.filter(({ answer }) => answer === '503 overload')
  assert.match(shed?.text ?? '', /\r\nconnection: close\r\n[^]*this proxy is short of connections/)
  assert.ok(proxy.descriptors() < 256)
  // Those who were served still are, and the others do not come in between.
  for (const client of clients) if (client.answer === '200') client.ask()
  await until(
    '84 have been served twice',
    () => clients.filter(({ text }) => text.split('HTTP/1.1 200').length === 3).length === 84,
  )
  for (const { socket } of clients) socket.destroy()
  const later = await until('new clients are served', async () => {
    const client = new Client(t, proxy.at)
    client.ask()
    await Promise.race([once(client.socket, 'data'), once(client.socket, 'close')])
    return client.answer === '200' && client
  })
  later.ask()
  assert.ok(proxy.child.isRunning)
  assert.equal((await proxy.admin('/ready')).status, 200)
})

test('calls that would need more descriptors than there are hear 503, and no endpoint is blamed', async (t) => {
  if (!requires(t, 'linux', 'prlimit')) return
  const waiting: Socket[] = []
  const to = await program(t, (socket) => socket.once('data', () => waiting.push(socket)))
  const proxy = await startBareProxy(createWorld(t), to, {
    prefix: ['prlimit', '--nofile=128:128'],
    cluster: { outlier_detection: { consecutive_local_origin_failure: 1, split_external_local_origin_errors: true } },
  })
  const session = http2.connect(`http://127.0.0.1:${proxy.at.port}`).on('error', () => {})
  t.after(() => session.destroy())
  const statuses: number[] = []
  const ended = Array.from({ length: 100 }, async () => {
    const stream = session.request({ ':path': '/', ':authority': 'a' }).on('error', () => {})
    stream.on('response', (head) => void statuses.push(head[':status'] ?? 0))
    let text = ''
    stream.on('data', (chunk: Buffer) => void (text += chunk.toString()))
    await once(stream, 'close')
    return text
  })
  // One downstream connection; the rest of the room was for upstreams.
  await until(
    'some wait for the program, and the others are told',
    () => waiting.length === 63 && statuses.length === 37,
  )
  assert.deepEqual(new Set(statuses), new Set([503]))
  for (const socket of waiting) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const texts = await Promise.all(ended)
  assert.equal(texts.filter((text) => text === 'ok').length, 63)
  assert.equal(texts.filter((text) => text === 'this proxy is short of descriptors\n').length, 37)
  assert.match((await proxy.admin('/clusters')).body, /"ejected": false/)
})

test('100 clients that never read cost little memory, and others do not notice', async (t) => {
  if (!requires(t, 'linux')) return
  const large = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n`)
  const piece = Buffer.alloc(20_000_000, 'x')
  const to = await program(t, (socket) => {
    socket.once('data', (bytes: Buffer) => {
      if (bytes.toString().startsWith('GET /small'))
        return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      socket.write(large)
      socket.write(piece)
    })
  })
  const proxy = await startBareProxy(createWorld(t), to)
  const small = async (): Promise<string> => (await fetch(`http://127.0.0.1:${proxy.at.port}/small`)).text()
  assert.equal(await small(), 'ok')
  const before = proxy.peakBytes()
  const deaf = Array.from({ length: 100 }, () => {
    const socket = net
      .connect(proxy.at)
      .on('error', () => {})
      .pause()
    t.after(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    return socket
  })
  const active = (): Promise<number> => metric(proxy, /^weft_active_requests\{.*\} (\d+)/m)
  await until('all are being answered', async () => (await active()) === deaf.length)
  for (let round = 0; round < 50; round++) assert.equal(await small(), 'ok')
  const perClient = (proxy.peakBytes() - before) / deaf.length
  t.diagnostic(`${Math.round(perClient)} bytes a client`)
  assert.ok(perClient < 300_000, `${perClient} bytes a client that reads nothing`)
  for (const socket of deaf) socket.destroy()
  await until('all are gone', async () => (await active()) === 0)
})
