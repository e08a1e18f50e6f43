import http2, { type ClientHttp2Session } from 'node:http2'
import net, { type Socket } from 'node:net'
import type { Address } from '../../src/base/address.ts'
import type { Random } from '../../src/base/random.ts'
import { rudeness } from './rude-program.ts'

/** One call, ended in some way; resolves when this client has let go of it. */
export type RudeCall = () => Promise<void>

/** How many turns of the event loop a client may wait before it breaks off. */
const patience = 12

const oneOf = <T>(list: readonly [T, ...T[]], random: Random): T => list[random.index(list.length)] ?? list[0]

async function someTurns(random: Random): Promise<void> {
  for (let left = random.index(patience); left > 0; left--) await new Promise<void>((resolve) => setImmediate(resolve))
}

/**
 * HTTP/1.1 on a connection of its own: reads to the end, or breaks off in one of the ways in which clients do. A call that nobody
 * answers is always broken off.
 */
export function http1Calls(at: Address, target: (path: string) => string, random: Random): RudeCall {
  return async () => {
    const way = oneOf(['polite', 'polite', 'reset', 'close', 'half-close', 'half-head', 'half-body', 'deaf'], random)
    const path = oneOf(rudeness, random)
    const method = random.unit() < 0.5 ? 'GET' : 'POST'
    const body = method === 'POST' ? 'b'.repeat(random.index(40_000)) : ''
    const length = method === 'GET' ? '' : `content-length: ${body.length + (way === 'half-body' ? 50_000 : 0)}\r\n`
    const message = `${method} ${target(`/${path}`)} HTTP/1.1\r\nhost: web\r\n${length}connection: close\r\n\r\n${body}`
    const socket = net.connect({ ...at, allowHalfOpen: true })
    const closed = new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()))
    if (way === 'half-head') socket.write(message.slice(0, random.index(message.length - body.length - 4)))
    else socket.write(message)
    if (way === 'half-close') socket.end()
    const mayWait = path !== 'silent' && (way === 'polite' || way === 'half-close')
    if (way !== 'deaf') socket.resume().on('end', () => socket.end())
    if (!mayWait) {
      await someTurns(random)
      breakOff(socket, way)
    }
    return closed
  }
}

function breakOff(socket: Socket, way: string): void {
  // A connection that is still being made knows no reset.
  if (way === 'reset' && !socket.connecting) socket.resetAndDestroy()
  else socket.destroy()
}

/** HTTP/2 by Node's own client, many calls on a session: ends, resets, sessions that are cut with all their calls. */
export function http2Calls(at: Address, random: Random): RudeCall & { readonly close: () => void } {
  let session: ClientHttp2Session | undefined
  let left = 0
  const renewed = (): ClientHttp2Session => {
    if (session === undefined || session.destroyed || session.closed || left-- <= 0) {
      session?.destroy()
      session = http2.connect(`http://${at.host}:${at.port}`).on('error', () => {})
      left = 20 + random.index(60)
    }
    return session
  }
  const call: RudeCall = async () => {
    const way = oneOf(['polite', 'polite', 'reset', 'half-body', 'deaf'], random)
    const path = oneOf(rudeness, random)
    const post = random.unit() < 0.5
    const stream = renewed().request(
      { ':authority': 'web', ':path': `/${path}`, ':method': post ? 'POST' : 'GET' },
      { endStream: !post },
    )
    const closed = new Promise<void>((resolve) => stream.on('error', () => {}).once('close', () => resolve()))
    if (post && way === 'half-body') stream.write('b'.repeat(random.index(40_000)))
    else if (post) stream.end('b'.repeat(random.index(40_000)))
    if (way !== 'deaf') stream.resume()
    if (path === 'silent' || way !== 'polite') {
      await someTurns(random)
      stream.close(http2.constants.NGHTTP2_CANCEL)
      // Node's own client does not end a stream before its last byte is read, not even one that is closed.
      stream.resume()
    }
    return closed
  }
  return Object.assign(call, { close: () => session?.destroy() })
}
