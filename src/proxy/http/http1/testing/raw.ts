import { once } from 'node:events'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { systemClock } from '../../../../base/clock.ts'
import { createSweeper } from '../../../../base/sweeper.ts'
import { bytesBody, type Body } from '../../body.ts'
import { faultSentence, faultStatus, type Fault } from '../../fault.ts'
import { headerField } from '../../headers.ts'
import type { Call, Outcome, Peer, Reply, Service } from '../../service.ts'
import { http1Client, type Http1ClientConnection } from '../client.ts'
import type { ServerConnection, ServerParts } from '../../server-parts.ts'
import type { Http1ServerParts } from '../server-parts.ts'
import { serveHttp1 } from '../server.ts'

/** Bytes over a real socket, as any stranger would send them. */
export interface RawPeer {
  readonly socket: Socket
  /** Everything received so far, latin1. */
  text(): string
  send(text: string): void
  /** Resolves once what was received contains `part`; rejects when the connection ends before. */
  until(part: string): Promise<string>
  /** All that comes until the peer closes or resets. */
  end(): Promise<string>
}

export const rawPeer = (socket: Socket): RawPeer => {
  let received = ''
  let over = false
  let wake = (): void => {}
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    wake()
  })
  socket.on('error', () => {})
  const stop = (): void => {
    over = true
    wake()
  }
  socket.on('end', stop).on('close', stop)
  const wait = async (enough: () => boolean): Promise<string> => {
    while (!enough()) await new Promise<void>((resolve) => (wake = resolve))
    return received
  }
  return {
    socket,
    text: () => received,
    send: (text) => void socket.write(text, 'latin1'),
    async until(part) {
      await wait(() => over || received.includes(part))
      if (!received.includes(part)) throw new Error(`ended before ${JSON.stringify(part)}: ${JSON.stringify(received)}`)
      return received
    },
    end: () => wait(() => over),
  }
}

/** A free port with a handler; closed with the test. */
export async function listen(t: TestContext, accept: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    accept(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export async function connect(t: TestContext, port: number): Promise<RawPeer> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return rawPeer(socket)
}

export const testPeer: Peer = {
  remote: { host: '127.0.0.1', port: 1 },
  local: { host: '127.0.0.1', port: 2 },
  principal: undefined,
  tls: false,
}

/** What came of the calls of a served port. */
export interface Served {
  readonly port: number
  readonly outcomes: Outcome[]
  readonly refused: Fault[]
  readonly connections: ServerConnection[]
}

/** How an exchange ended, without what was answered. */
export const ends = ({ status, fault }: Outcome): Outcome => ({ status, fault })

/** Serves connections with one of our codecs; outcomes and refusals are collected. No timeout is on. */
export async function serveWith(
  t: TestContext,
  service: Service,
  codec: (socket: Socket, parts: ServerParts) => ServerConnection,
): Promise<Served> {
  const sweeper = createSweeper(systemClock, 20)
  t.after(() => sweeper.close())
  const outcomes: Outcome[] = []
  const refused: Fault[] = []
  const connections: ServerConnection[] = []
  const port = await listen(t, (socket) => {
    const connection = codec(socket, {
      service: (call) => {
        call.onEnd((outcome) => outcomes.push(outcome))
        return service(call)
      },
      peer: testPeer,
      refusal: (fault) => ({
        status: faultStatus(fault),
        headers: [headerField('x-fault', fault.kind)],
        body: bytesBody(Buffer.from(faultSentence(fault))),
      }),
      refused: (fault) => refused.push(fault),
      failed: (error) => {
        throw error
      },
      closed() {},
      clock: systemClock,
      sweeper,
      idleTimeoutMs: 0,
      headersTimeoutMs: 0,
      streamIdleTimeoutMs: 0,
    })
    connections.push(connection)
  })
  return { port, outcomes, refused, connections }
}

/** The same with the HTTP/1.1 codec. */
export const serve = (t: TestContext, service: Service, more: Partial<Http1ServerParts> = {}): Promise<Served> =>
  serveWith(t, service, (socket, parts) => serveHttp1(socket, { ...parts, ...more }))

/** A codec connection to a raw server; `events` notes "idle" and "closed". */
export async function client(
  t: TestContext,
  port: number,
): Promise<{ connection: Http1ClientConnection; events: string[]; socket: Socket }> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  const events: string[] = []
  const connection = http1Client(socket, {
    endpoint: { host: '127.0.0.1', port },
    idle: () => events.push('idle'),
    closed: () => events.push('closed'),
  })
  return { connection, events, socket }
}

/** A call as a layer would see it. `end` settles it. */
export function testCall(more: Partial<Call> = {}): Call & { end(outcome: Outcome): void } {
  const ends: ((outcome: Outcome) => void)[] = []
  const heard: ((fault: Fault) => void)[] = []
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'web',
    path: '/',
    headers: [],
    body: bytesBody(Buffer.alloc(0)),
    protocol: 'http/1.1',
    peer: testPeer,
    startedMs: 0,
    trace: { tried: [], attempts: 0, bytesSent: 0, bytesReceived: 0 },
    onEnd: (settled) => void ends.push(settled),
    cancel: (fault) => {
      for (const one of heard.splice(0)) one(fault)
    },
    onCancel: (one) => void heard.push(one),
    end: (outcome) => {
      for (const one of ends.splice(0)) one(outcome)
    },
    ...more,
  }
}

/** All bytes of a body, or the fault that ended it. */
export function collect(body: Body): Promise<{ text: string; trailers?: unknown; fault?: Fault }> {
  return new Promise((resolve) => {
    let text = ''
    body.start({
      data(chunk) {
        text += chunk.toString('latin1')
        return true
      },
      end: (trailers) => resolve(trailers === undefined ? { text } : { text, trailers }),
      fail: (fault) => resolve({ text, fault }),
    })
  })
}

/** Answers with what it was asked: method, target, authority, fields, body. */
export const echo: Service = async (call) => {
  const body = call.body.length === 0 ? { text: '' } : await collect(call.body)
  if ('fault' in body && body.fault !== undefined) return body.fault
  const fields = call.headers.map(({ name, value }) => `${name}=${value}`).join(',')
  const text = `${call.method} ${call.path} @${call.authority} [${fields}] ${body.text}`
  const reply: Reply = { status: 200, headers: [], body: bytesBody(Buffer.from(text, 'latin1')) }
  return reply
}
