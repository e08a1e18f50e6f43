import assert from 'node:assert/strict'
import { test } from 'node:test'
import { program } from '../../src/proxy/testing/world.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'
import { exchange, statuses } from './raw-exchange.ts'

const ok = 'HTTP/1.1 200 OK\r\n'
const canary = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary'
const sized = `${ok}Content-Length: 2\r\n\r\nok`

/** By class: what a program says, and the status that its caller hears; 0: a broken connection. */
const replies: readonly (readonly [what: string, bytes: string | Buffer, status: number])[] = [
  ['64 status 000', 'HTTP/1.1 000 OK\r\n\r\n', 502],
  ['64 status 099', 'HTTP/1.1 099 OK\r\n\r\n', 502],
  ['64 status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n', 502],
  ['64 status 999', 'HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n', 502],
  ['64 a negative status', 'HTTP/1.1 -20 OK\r\n\r\n', 502],
  ['64 nothing but noise', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167) & 255)), 502],
  ['64 a head without end', `${ok}X: ${'y'.repeat(200_000)}`, 502],
  ['31 too many fields', `${ok}${'X: y\r\n'.repeat(5000)}\r\n`, 502],
  [
    '27 an upgrade that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    502,
  ],
  ['64 informational replies without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5000), 502],
  ['1 two framings', `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${canary}`, 502],
  ['2 an odd transfer coding', `${ok}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${canary}`, 502],
  ['3 two lengths', `${ok}Content-Length: 0\r\nContent-Length: 2\r\n\r\nok${canary}`, 502],
  ['3 an odd length', `${ok}Content-Length: 2,2\r\n\r\nok${canary}`, 502],
  ['4 bare line ends', `HTTP/1.1 200 OK\nContent-Length: 2\n\nok${canary}`, 502],
  ['5 a folded line', `${ok}X: a\r\n b\r\nContent-Length: 0\r\n\r\n${canary}`, 502],
  ['10 NUL', `${ok}X: a\0b\r\nContent-Length: 0\r\n\r\n${canary}`, 502],
  ['58 a line end in a value', `${ok}X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n${canary}`, 502],
  ['7 a chunk size without end', `${ok}Transfer-Encoding: chunked\r\n\r\n${'0'.repeat(10_000)}`, 0],
  ['6 a line end in a chunk extension', `${ok}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nok\r\n0\r\n\r\n`, 0],
  ['30 trailers without end', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(20_000)}`, 0],
  ['57 a second answer', `${sized}${canary}`, 200],
  ['57 a body for 204', `HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n${canary}`, 204],
  ['57 a body for 304', `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n${canary}`, 304],
  ['57 more than the length', `${ok}Content-Length: 1\r\n\r\nok${canary}`, 200],
  ['57 more after the last chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${canary}`, 200],
  ['40 a body that says it is packed', `${ok}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b`, 200],
]

test('nothing that a program says ends the proxy, or becomes the answer to somebody else', async (t) => {
  let connections = 0
  const at = await program(t, (socket) => {
    connections++
    socket.on('data', (bytes: Buffer) => {
      const [, target = ''] = /^\w+ (\S+)/.exec(bytes.toString('latin1')) ?? []
      const [, kind, which = ''] = target.split('/')
      if (kind === 'nonce') return void socket.write(`${ok}Content-Length: ${which.length}\r\n\r\n${which}`)
      socket.write(replies[Number(which)]?.[1] ?? assert.fail(target))
    })
  })
  const proxy = await startBareProxy(createWorld(t), at)
  for (const [index, [what, , status]] of replies.entries()) {
    const answer = await exchange(t, proxy.at, `GET /evil/${index} HTTP/1.1\r\nHost: web\r\n\r\n`)
    const shown = `${what} → ${answer.slice(0, 300)}`
    // A reply that has begun cannot be taken back, but never looks whole.
    if (status === 0) assert.ok(!answer.endsWith('\r\n0\r\n\r\n'), shown)
    else
      assert.deepEqual(
        statuses(answer).filter((one) => one >= 200),
        [status],
        shown,
      )
    assert.ok(!answer.includes('canary'), shown)
    const nonce = `own-${index}`
    const own = await exchange(t, proxy.at, `GET /nonce/${nonce} HTTP/1.1\r\nHost: web\r\n\r\n`)
    assert.ok(statuses(own)[0] === 200 && own.endsWith(`\r\n\r\n${nonce}`), `after ${what}: ${own}`)
  }
  // A connection on which something was said that nobody had asked for carries no further call.
  assert.ok(connections >= replies.length)
  assert.ok(proxy.child.isRunning)
  assert.doesNotMatch(proxy.child.err, /bug of this proxy/)
})

test('28, 29: an answer that breaks off is seen to, one that comes early is heard, and the upload stops', async (t) => {
  let uploaded = 0
  const at = await program(t, (socket) => {
    socket.on('data', (bytes: Buffer) => {
      uploaded += bytes.length
      const text = bytes.toString('latin1')
      if (text.startsWith('GET /sized'))
        return void socket.write(`${ok}Content-Length: 100\r\n\r\nhalf`, () => socket.resetAndDestroy())
      if (text.startsWith('GET /chunked'))
        return void socket.write(`${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`, () => socket.end())
      if (text.startsWith('POST /early')) socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')
    })
  })
  const proxy = await startBareProxy(createWorld(t), at)
  for (const path of ['sized', 'chunked']) {
    const answer = await exchange(t, proxy.at, `GET /${path} HTTP/1.1\r\nHost: web\r\n\r\n`)
    assert.deepEqual(statuses(answer), [200])
    assert.ok(!answer.includes('\r\n0\r\n'), answer)
  }
  const size = 50_000_000
  const early = await exchange(
    t,
    proxy.at,
    Buffer.concat([
      Buffer.from(`POST /early HTTP/1.1\r\nHost: web\r\nContent-Length: ${size}\r\n\r\n`),
      Buffer.alloc(size),
    ]),
  )
  assert.match(early, /^HTTP\/1\.1 413 [^]*\r\nconnection: close\r\n[^]*\r\nbig$/)
  assert.ok(uploaded < size / 2, `${uploaded} bytes were still sent on`)
  assert.ok(proxy.child.isRunning)
})
