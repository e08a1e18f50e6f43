import http from 'node:http'
import net from 'node:net'
import type { TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import { program } from '../../src/proxy/testing/world.ts'

/** What a program has been asked. */
export interface Asked {
  readonly line: string
  /** Names and values as they came. */
  readonly headers: readonly string[]
  readonly body: string
}

/** A program that believes whatever it can read: Node's server in its lenient mode. It says what it was asked. */
export async function credulous(t: TestContext): Promise<{ readonly at: Address; readonly asked: Asked[] }> {
  const asked: Asked[] = []
  const server = http.createServer({ insecureHTTPParser: true, joinDuplicateHeaders: false }, (request, response) => {
    let body = ''
    request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk))
    request.on('error', () => {})
    request.on('end', () => {
      asked.push({ line: `${request.method} ${request.url}`, headers: request.rawHeaders, body })
      response.end('program')
    })
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  const at = await program(t, (socket) => void server.emit('connection', socket))
  return { at, asked }
}

/** Sends the bytes and no end; gives all that comes until the other side closes or has been silent for a while after an answer. */
export function exchange(t: TestContext, at: Address, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = net.connect(at)
    t.after(() => socket.destroy())
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(text)
    }
    let timer = setTimeout(done, 15_000)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(done, 150)
    })
    socket.on('error', () => {}).on('close', done)
    socket.on('end', done)
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  })
}

/** The statuses of the answers in it, in order. */
export const statuses = (text: string): readonly number[] =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
