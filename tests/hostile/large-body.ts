import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import type { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { program } from '../../src/proxy/testing/world.ts'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'

const piece = Buffer.alloc(262_144, 'x')

/** Writes `size` bytes as fast as they are taken; `told` hears how many it has handed over so far. */
function pour(to: Writable, size: number, told: (bytes: number) => void): Promise<void> {
  let written = 0
  return new Promise((resolve) => {
    const more = (): void => {
      while (written < size) {
        if (to.destroyed) return resolve()
        const next = piece.subarray(0, Math.min(piece.length, size - written))
        written += next.length
        told(written)
        if (!to.write(next)) return void to.once('drain', more)
      }
      resolve()
    }
    more()
  })
}

/** How much is handed over when something has moved and nothing does any more. */
async function atRest(moved: () => number): Promise<number> {
  for (let before = 0; before === 0 || before !== moved();) {
    before = moved()
    await sleep(250)
  }
  return moved()
}

/**
 * `size` bytes down and `size` up, each past a reader that first reads nothing: the writer has to wait, and the proxy's memory stays
 * where it is.
 */
export async function largeBodies(t: TestContext, size: number): Promise<void> {
  if (!requires(t, 'linux')) return
  let poured = 0
  let taken = 0
  let read: (() => void) | undefined
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-length': size })
      return void pour(response, size, (bytes) => (poured = bytes)).then(() => response.end())
    }
    read = () => request.on('data', (chunk: Buffer) => void (taken += chunk.length))
    request.on('end', () => response.end(String(taken)))
  })
  const to = await program(t, (socket) => void server.emit('connection', socket))
  // However long it takes: Envoy's 15 s are not for bodies of this size.
  const proxy = await startBareProxy(createWorld(t), to, { route: { timeout: '0s' } })
  const before = proxy.peakBytes()
  const client = net.connect(proxy.at)
  t.after(() => client.destroy())

  client.pause().write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  const ahead = await atRest(() => poured)
  assert.ok(ahead > 0 && ahead < mostOnTheWay(), `${ahead} bytes were written for a reader that reads none`)
  let got = 0
  const whole = new Promise<void>((resolve, reject) => {
    client.on('data', (chunk) => {
      got += chunk.length
      if (got > size) resolve()
    })
    client.once('close', () => reject(new Error(`the connection ended after ${got} bytes`)))
  })
  client.resume()
  await whole
  client.removeAllListeners('data')

  client.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${size}\r\n\r\n`)
  let sent = 0
  const pouring = pour(client, size, (bytes) => (sent = bytes))
  const held = await atRest(() => sent)
  assert.ok(held > 0 && held < mostOnTheWay(), `${held} bytes were written for a program that reads none`)
  read?.()
  const [answer] = (await Promise.all([once(client, 'data'), pouring]))[0] as [Buffer]
  assert.match(answer.toString(), new RegExp(`^HTTP/1\\.1 200 [^]*\\r\\n\\r\\n${size}$`))
  const grown = proxy.peakBytes() - before
  assert.ok(grown < mayGrowBytes, `the proxy's memory grew by ${grown} bytes`)
  t.diagnostic(`memory grew by ${grown} bytes at most; at rest ${ahead} down, ${held} up were on their way`)
  assert.ok(proxy.child.isRunning)
}

const largest = (buffers: string): number =>
  Number(fs.readFileSync(`/proc/sys/net/ipv4/${buffers}`, 'utf8').split(/\s+/)[2])
/** The kernel's buffers of two connections on loopback, at their largest; the proxy's own are 64 KiB a way. */
const mostOnTheWay = (): number => 2 * (largest('tcp_rmem') + largest('tcp_wmem'))
/** The room that sockets are read into, what waits to be written, and young objects until the next collection. */
const mayGrowBytes = 16 * 1024 * 1024
