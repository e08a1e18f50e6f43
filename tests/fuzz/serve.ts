import { createSweeper } from '../../src/base/sweeper.ts'
import { manualClock } from '../../src/base/testing/manual-clock.ts'
import { bytesBody } from '../../src/proxy/http/body.ts'
import { collect, testPeer } from '../../src/proxy/http/http1/testing/raw.ts'
import type { ServerConnection, ServerParts } from '../../src/proxy/http/server-parts.ts'
import type { Call, Reply, Service } from '../../src/proxy/http/service.ts'
import { MemorySocket } from './memory-socket.ts'

/** What a server made of its bytes. */
export interface Told {
  /** Every call, with its body as far as it came. */
  readonly calls: readonly string[]
  readonly refused: readonly string[]
  readonly socket: MemorySocket
}

/**
 * Serves the pieces on a socket in memory, where time stands still. Replies are held back until all bytes are in, so that the state
 * in which a byte is read does not depend on how the bytes were cut.
 */
export async function serveBytes(
  pieces: readonly Buffer[],
  codec: (socket: MemorySocket, parts: ServerParts) => ServerConnection,
): Promise<Told> {
  const clock = manualClock()
  const sweeper = createSweeper(clock, 100)
  const socket = new MemorySocket()
  const calls: string[] = []
  const refused: string[] = []
  const bugs: unknown[] = []
  const open = Promise.withResolvers<void>()
  let begun = 0
  let settled = 0
  const service: Service = async (call) => {
    begun++
    call.onEnd(() => settled++)
    const index = calls.push(headOf(call)) - 1
    const body = await collect(call.body)
    calls[index] += ` ${body.text} ${JSON.stringify(body.trailers)}${body.fault === undefined ? '' : ' cut'}`
    await open.promise
    return reply(call)
  }
  const connection = codec(socket, {
    service,
    peer: testPeer,
    refusal: () => ({ status: 400, headers: [], body: bytesBody(Buffer.from('refused')) }),
    // Which of two wrongs is named may depend on what has come; that the bytes are refused may not.
    refused: () => refused.push('refused'),
    failed: (error) => bugs.push(error),
    closed() {},
    clock,
    sweeper,
    idleTimeoutMs: 0,
    headersTimeoutMs: 0,
    streamIdleTimeoutMs: 0,
  })
  await socket.feed(pieces)
  open.resolve()
  await socket.settled()
  connection.destroy()
  await socket.settled()
  sweeper.close()
  if (bugs.length > 0) throw bugs[0]
  if (settled !== begun) throw new Error(`${begun} calls began and ${settled} ended`)
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
  return { calls, refused, socket }
}

const headOf = ({ method, scheme, authority, path, headers, upgrade }: Call): string =>
  `${method} ${scheme}://${authority} ${path} ${upgrade ?? '-'} [${headers.map(({ name, value }) => `${name}=${value}`).join()}]`

/** With a body, without one, or with trailers, as the path says. */
const reply = ({ path }: Call): Reply => {
  if (path.length % 3 === 0) return { status: 204, headers: [], body: bytesBody(Buffer.alloc(0)) }
  return { status: 200, headers: [], body: bytesBody(Buffer.from(`seen ${path.length}`)) }
}
