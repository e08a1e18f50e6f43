// Calls for tests of spans, and the program that they arrive at.
import { once } from 'node:events'
import http, { type IncomingHttpHeaders } from 'node:http'
import http2Module from 'node:http2'
import type { Server } from 'node:net'

/** One call. */
export interface Asked {
  readonly to?: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Over HTTP/2. */
  readonly h2?: true
  /** What is answered; that no span comes of it. */
  readonly status?: number
  readonly untraced?: boolean
}

/** What was answered. */
export interface Answered {
  readonly status: number
  readonly told: unknown
}

/** Asks a proxy; `id` tells the program which call it is. */
export const askTraced = (port: number, asked: Asked, id: string): Promise<Answered> =>
  (asked.h2 === true ? askHttp2 : askHttp1)(port, asked, id)

const askHttp2 = (port: number, { path, method = 'GET', headers = {}, body = '' }: Asked, id: string) =>
  new Promise<Answered>((resolve, reject) => {
    const session = http2Module.connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({
      ':method': method,
      ':path': path,
      ':authority': 'shop.example',
      te: 'trailers',
      ...headers,
      'x-id': id,
    })
    stream.on('response', (head) => {
      stream.resume()
      stream.on('end', () => {
        session.close()
        resolve({ status: head[':status'] ?? 0, told: head['x-envoy-decorator-operation'] })
      })
    })
    stream.on('error', reject).end(body)
  })

const askHttp1 = (port: number, { path, method = 'GET', headers = {}, body = '' }: Asked, id: string) =>
  new Promise<Answered>((resolve, reject) => {
    http
      .request(
        {
          port,
          host: '127.0.0.1',
          path,
          method,
          headers: { ...headers, host: 'shop.example', 'x-id': id },
          agent: false,
        },
        (response) => {
          response.resume()
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, told: response.headers['x-envoy-decorator-operation'] }),
          )
        },
      )
      .on('error', reject)
      .end(body)
  })

function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What calls arrive at. */
export interface TracedProgram {
  readonly port: number
  /** Of HTTP/2 without TLS. */
  readonly grpcPort: number
  /** The fields of each request with this `x-id`, once. */
  take(id: string): IncomingHttpHeaders[]
  stop(): void
}

/**
 * Answers as the path says: a status, /grpc/STATUS, /decorates, /reset, /slow. /steps/400,0x500 is of the requests with the same `x-id`: the
 * first is answered after 400 ms, the second at once with 500.
 */
export async function startProgram(): Promise<TracedProgram> {
  const seen = new Map<string, IncomingHttpHeaders[]>()
  const note = (headers: IncomingHttpHeaders): void => {
    const id = String(headers['x-id'])
    seen.set(id, [...(seen.get(id) ?? []), headers])
  }
  const server = http.createServer(({ url = '', headers }, response) => {
    note(headers)
    const steps = /\/steps\/([0-9x,]+)$/.exec(url)?.[1]?.split(',')
    if (steps !== undefined) {
      const [delay = '0', status = '200'] = (steps[(seen.get(String(headers['x-id']))?.length ?? 1) - 1] ?? '0').split(
        'x',
      )
      setTimeout(() => response.writeHead(Number(status)).end('hello'), Number(delay))
      return
    }
    if (url.endsWith('/decorates')) response.setHeader('x-envoy-decorator-operation', 'of-the-program')
    if (url.endsWith('/reset')) return void response.socket?.resetAndDestroy()
    if (url.endsWith('/slow')) return
    const grpc = /grpc\/([0-9]+)$/.exec(url)?.[1]
    if (grpc !== undefined) response.setHeader('grpc-status', grpc).setHeader('grpc-message', 'said so')
    const status = Number(/[0-9]{3}$/.exec(url)?.[0] ?? 200)
    response.writeHead(status).end('hello')
  })
  const grpc = http2Module.createServer((request, response) => {
    const status = /[0-9]+$/.exec(request.url)?.[0] ?? '0'
    note(request.headers)
    response.writeHead(200, { 'content-type': 'application/grpc' })
    response.write('hello')
    response.addTrailers({ 'grpc-status': status, 'grpc-message': 'behind it' })
    response.end()
  })
  grpc.listen(0, '127.0.0.1')
  await once(grpc, 'listening')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server),
    grpcPort: portOf(grpc),
    take(id) {
      const list = seen.get(id) ?? []
      seen.delete(id)
      return list
    },
    stop() {
      server.close()
      server.closeAllConnections()
      grpc.close()
    },
  }
}
