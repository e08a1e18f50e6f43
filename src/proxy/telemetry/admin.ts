import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP, Server } from 'node:net'
import type { Address } from '../../base/address.ts'
import { nodeHttp } from '../../base/node-http.ts'

/** What the admin port shows. */
export interface AdminParts {
  /**
   * Where: an address (port 0: any free one), or a listening socket that was handed over. Loopback, unless the person who runs the
   * proxy says otherwise.
   */
  readonly on: Address | Server
  readonly ready: () => boolean
  /** Plain JSON data without secrets; "stats": text. */
  readonly answer: (what: 'config' | 'clusters' | 'certs' | 'stats') => unknown
}

/** A running admin port. */
export interface AdminServer {
  readonly address: Address
  /** Another process serves from now on: whoever keeps a connection is sent there. */
  leave(): void
  /** Ends open connections too. */
  close(): Promise<void>
}

interface Page {
  readonly status: number
  readonly type: 'text/plain; charset=utf-8' | 'text/plain; version=0.0.4; charset=utf-8' | 'application/json'
  readonly body: string
}

/**
 * Serves `/ready`, `/metrics` (also as `/stats/prometheus`), `/config_dump`, `/clusters` and `/certs`, for reading only. Rejects when
 * the address is taken. A `Host` that is a name other than "localhost" is refused: a web page must not get here by DNS rebinding.
 */
export async function startAdmin(parts: AdminParts): Promise<AdminServer> {
  let leaving = false
  const server = nodeHttp().createServer((request, response) => {
    if (leaving) response.shouldKeepAlive = false
    void answer(parts, request, response)
  })
  server.on('clientError', (_, socket) => socket.destroy())
  const { on } = parts
  if (on instanceof Server) on.on('connection', (socket) => server.emit('connection', socket))
  else await listen(server, on)
  const listener = on instanceof Server ? on : server
  listener.on('error', () => {})
  return {
    address: addressOf(listener),
    leave() {
      leaving = true
      server.closeIdleConnections()
    },
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function addressOf(server: Server): Address {
  const bound = server.address()
  return bound === null || typeof bound === 'string' ? { host: '', port: 0 } : { host: bound.address, port: bound.port }
}

async function answer(parts: AdminParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => {})
  const { status, type, body } = refusal(request) ?? (await pageOrApology(parts, request.url ?? '/'))
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function refusal({ method, headers }: IncomingMessage): Page | undefined {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET')
  const host = (headers.host ?? '').replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
  return host === 'localhost' || isIP(host) !== 0 ? undefined : text(403, 'ask by IP address or as localhost')
}

async function pageOrApology(parts: AdminParts, url: string): Promise<Page> {
  try {
    return await pageOf(parts, url.split('?', 1)[0] ?? '/')
  } catch (error) {
    return text(500, `this page failed: ${String(error)}`)
  }
}

async function pageOf({ ready, answer: ask }: AdminParts, path: string): Promise<Page> {
  switch (path) {
    case '/':
      return text(200, pages.map(([name, what]) => `${name}  ${what}`).join('\n'))
    case '/ready':
      return ready() ? text(200, 'LIVE') : text(503, 'NOT READY')
    case '/metrics':
    case '/stats/prometheus':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: String(await ask('stats')) }
    case '/config_dump':
      return json(await ask('config'))
    case '/clusters':
      return json(await ask('clusters'))
    case '/certs':
      return json(await ask('certs'))
    default:
      return text(404, 'no such page; / lists them')
  }
}

const pages = [
  ['/ready', 'whether the listeners serve their first whole configuration: 200 or 503'],
  ['/metrics', 'figures in Prometheus text format (also /stats/prometheus)'],
  ['/config_dump', 'the configuration in force'],
  ['/clusters', 'the endpoints of each cluster, and what is known about them'],
  ['/certs', 'certificates and trust bundles, without keys'],
] as const

const text = (status: number, body: string): Page => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` })

/** Maps and sets are shown as objects and lists. */
const json = (value: unknown): Page => ({
  status: 200,
  type: 'application/json',
  body: `${JSON.stringify(value, plain, 2)}\n`,
})
const plain = (_: string, value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries(value) : value instanceof Set ? [...value] : value
