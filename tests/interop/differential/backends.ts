import { once } from 'node:events'
import fs from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'

/** What a backend got. Names in lower case, in the order of their names; several values in the order in which they came. */
export interface Seen {
  readonly backend: string
  readonly protocol: string
  readonly method: string
  /** The address that it came from. */
  readonly from: string
  readonly authority: string
  readonly path: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly body: string
  readonly trailers: Readonly<Record<string, string>>
}

/** What a backend is asked to do, by the header `x-do` (JSON). */
export interface Deed {
  readonly status?: number
  readonly headers?: readonly string[]
  readonly body?: string
  /** In its place so many bytes. */
  readonly body_bytes?: number
  /** The first so many requests of one `x-id` get 503. */
  readonly fail_first?: number
  readonly fail_status?: number
  readonly delay_ms?: number
  /** Breaks the connection off. */
  readonly reset?: boolean
  /** Sends the body in chunks, these fields behind it. */
  readonly trailers?: Readonly<Record<string, string>>
  /** The body is the names of the request's fields, as they were written. */
  readonly names?: boolean
  /** Silence in the middle of the body. */
  readonly stall_ms?: number
}

/** Servers for all cases, and what they saw. */
export interface Backends {
  readonly ports: Readonly<Record<string, number>>
  /** The Unix sockets of `socket`: its path, and its abstract name. */
  readonly sockets: readonly [path: string, name: string]
  /** All that came with this `x-id`, in order; forgotten then. */
  take(id: string): readonly Seen[]
}

/** Header by which a request is found again. */
export const idHeader = 'x-id'
/** Header that says what the backend shall do. */
export const doHeader = 'x-do'

/** Starts a, b, c (HTTP/1.1), h2 (HTTP/2 without TLS), tcp-a, tcp-b (say their name, then echo; "reset" resets them) and those with TLS. */
export async function startBackends(
  t: TestContext,
  pair: { readonly keyPem: string; readonly chainPem: string; readonly trustPem: string },
): Promise<Backends> {
  const seen = new Map<string, Seen[]>()
  const failed = new Map<string, number>()
  const ports: Record<string, number> = {}
  const record = (one: Seen): void => {
    const id = one.headers[idHeader]?.[0] ?? ''
    seen.set(id, [...(seen.get(id) ?? []), one])
  }
  const start = async (name: string, server: Server): Promise<void> => {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports[name] = (server.address() as AddressInfo).port
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
  }
  const answer = (backend: string) => (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('error', () => {})
    response.on('error', () => {})
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = seenOf(backend, request, Buffer.concat(chunks).toString('latin1'))
      record(one)
      act(one, request, response, failed)
    })
  }
  for (const name of ['a', 'b', 'c']) {
    const server = http.createServer({ keepAliveTimeout: 60_000 }, answer(name))
    server.on('checkContinue', (request, response) => {
      response.writeContinue()
      answer(name)(request, response)
    })
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      record(seenOf(name, request, ''))
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\nX-Backend: yes\r\n\r\n`,
      )
      if (head.length > 0) socket.write(head)
      socket.on('error', () => {}).pipe(socket)
    })
    await start(name, server)
  }
  // The compatibility API of node:http2 gives nearly the same objects.
  const h2 = answer('h2') as unknown as (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void
  await start('h2', http2.createServer(h2) as unknown as Server)
  const secure = { key: pair.keyPem, cert: pair.chainPem, ca: pair.trustPem }
  const tls = answer('tls') as unknown as (
    request: http2.Http2ServerRequest,
    response: http2.Http2ServerResponse,
  ) => void
  await start('tls', http2.createSecureServer({ ...secure, allowHTTP1: true }, tls) as unknown as Server)
  await start(
    'mtls',
    http2.createSecureServer(
      { ...secure, allowHTTP1: true, requestCert: true, rejectUnauthorized: true },
      tls,
    ) as unknown as Server,
  )
  for (const name of ['tcp-a', 'tcp-b']) {
    await start(
      name,
      net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {})
        socket.write(`${name}:`)
        socket.on('data', (chunk) => void (chunk.includes('reset') ? socket.resetAndDestroy() : socket.write(chunk)))
        socket.on('end', () => socket.end())
      }),
    )
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-backends-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const socket = path.join(folder, 'socket')
  for (const place of [socket, `\0${folder}`]) {
    const server = http.createServer({ keepAliveTimeout: 60_000 }, answer('socket')).listen(place)
    await once(server, 'listening')
    t.after(() => {
      server.close()
      server.closeAllConnections()
    })
  }
  return {
    ports,
    sockets: [socket, `@${folder}`],
    take(id) {
      const list = seen.get(id) ?? []
      seen.delete(id)
      return list
    },
  }
}

function seenOf(backend: string, request: IncomingMessage, body: string): Seen {
  const headers: Record<string, string[]> = {}
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = (request.rawHeaders[at] ?? '').toLowerCase()
    if (name.startsWith(':')) continue
    ;(headers[name] ??= []).push(request.rawHeaders[at + 1] ?? '')
  }
  const { socket } = request as {
    socket: { alpnProtocol?: string | false; servername?: string; remoteAddress?: string }
  }
  const secure =
    socket.alpnProtocol === undefined ? '' : ` over TLS (${String(socket.alpnProtocol)}, ${socket.servername ?? ''})`
  const authority = String(request.headers[':authority'] ?? request.headers.host ?? '')
  delete headers['host']
  return {
    backend,
    from: socket.remoteAddress ?? '',
    protocol: `HTTP/${request.httpVersion}${secure}`,
    method: request.method ?? '',
    authority,
    path: request.url ?? '',
    headers: Object.fromEntries(Object.entries(headers).toSorted(([x], [y]) => (x < y ? -1 : 1))),
    body,
    trailers: Object.fromEntries(Object.entries(request.trailers).map(([name, value]) => [name, String(value)])),
  }
}

function act(one: Seen, request: IncomingMessage, response: ServerResponse, failed: Map<string, number>): void {
  const deed = JSON.parse(one.headers[doHeader]?.[0] ?? '{}') as Deed
  const id = one.headers[idHeader]?.[0] ?? ''
  if (deed.reset === true) return void request.socket.destroy()
  const failures = failed.get(id) ?? 0
  const fails = failures < (deed.fail_first ?? 0)
  if (fails) failed.set(id, failures + 1)
  const headers: [string, string][] = [['x-backend', one.backend]]
  for (const line of deed.headers ?? []) {
    const colon = line.indexOf(':')
    headers.push([line.slice(0, colon), line.slice(colon + 1).trim()])
  }
  const status = fails ? (deed.fail_status ?? 503) : (deed.status ?? 200)
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0)
  const given = deed.names === true ? names.toSorted().join(' ') : deed.body
  const text = given ?? (deed.body_bytes === undefined ? `${one.backend}\n` : 'x'.repeat(deed.body_bytes))
  const reply = (): void => {
    for (const [name, value] of headers) response.appendHeader(name, value)
    response.statusCode = status
    if (status === 204 || status === 304) return void response.end()
    if (deed.trailers !== undefined || deed.stall_ms !== undefined) {
      if (deed.trailers !== undefined && request.httpVersion === '1.1')
        response.setHeader('trailer', Object.keys(deed.trailers).join(', '))
      response.write(text)
      const end = (): void => {
        if (deed.trailers !== undefined) response.addTrailers(deed.trailers)
        response.end()
      }
      if (deed.stall_ms === undefined) return end()
      setTimeout(end, deed.stall_ms)
      return
    }
    response.setHeader('content-length', Buffer.byteLength(text))
    response.end(text)
  }
  if (deed.delay_ms === undefined) reply()
  else setTimeout(reply, deed.delay_ms)
}
