import { once } from 'node:events'
import http2 from 'node:http2'
import net, { type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'

/** One reply, as bytes tell it. */
export interface Reply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
  readonly trailers: readonly (readonly [string, string])[]
  /** Heads of 1xx replies that came before. */
  readonly before: readonly number[]
}

/** Everything that one exchange brought: replies in order, and how the connection was left. */
export interface Exchange {
  readonly replies: readonly Reply[]
  /** What came that is no reply: raw bytes of a tunnel, or of a broken message. */
  readonly rest: string
  /** `open`: the proxy would have read on; `closed`: it ended the connection; or why none could be had. */
  readonly end: string
  /** What TLS brought: protocol, and the names of the proxy's certificate. */
  readonly tls?: string
}

/** How to connect. */
export interface Secure {
  readonly sni?: string | undefined
  readonly alpn?: readonly string[] | undefined
  readonly trustPem: string
  readonly own?: { readonly keyPem: string; readonly chainPem: string } | undefined
}

/** Envoy keeps a connection that it closes for a second, so that its words arrive. */
const closingMs = 2_000
const patienceMs = 15_000
/** So long nothing more comes: the exchange is over. */
const quietMs = 120

/** Writes `bytes`, reads `wanted` replies (or until the end, or silence), and leaves. */
export async function overHttp1(
  port: number,
  bytes: readonly string[],
  wanted: {
    readonly replies: number
    readonly heads?: boolean
    /** Waits for the end, some seconds long. */
    readonly untilClosed?: boolean
    readonly tunnel?: string
    readonly secure?: Secure | undefined
  },
): Promise<Exchange> {
  let socket: Socket
  try {
    socket = await open(port, wanted.secure)
  } catch (error) {
    return { replies: [], rest: '', end: `no connection: ${codeOf(error)}` }
  }
  const described = socket instanceof tls.TLSSocket ? { tls: describeTls(socket) } : {}
  // What accepts a tunnel: 101 for an upgrade, 200 for CONNECT.
  const accepting = bytes[0]?.startsWith('CONNECT ') === true ? 200 : 101
  const reader = new ReplyReader(wanted.heads === true, accepting)
  let end = 'open'
  const over = new Promise<void>((resolve) => {
    const late = setTimeout(() => ((end = 'silent'), resolve()), patienceMs)
    const done = (): void => (clearTimeout(late), resolve())
    let tunnelled = wanted.tunnel === undefined
    let quiet: NodeJS.Timeout | undefined
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      clearTimeout(quiet)
      if (!tunnelled && reader.replies.at(-1)?.status === accepting) {
        tunnelled = true
        socket.write(wanted.tunnel ?? '')
        return
      }
      // A moment for what should not come.
      if (reader.replies.length >= wanted.replies && tunnelled)
        quiet = setTimeout(done, wanted.untilClosed === true ? closingMs : quietMs)
    })
    socket.on('end', () => ((end = 'closed'), reader.finish(), done()))
    socket.on('error', (error) => ((end = `broken: ${codeOf(error)}`), done()))
    socket.on('close', () => ((end = end === 'open' ? 'closed' : end), reader.finish(), done()))
  })
  for (const part of bytes) {
    socket.write(part, 'latin1')
    if (bytes.length > 1) await new Promise((resolve) => setTimeout(resolve, 30))
  }
  await over
  socket.destroy()
  return { replies: reader.replies, rest: reader.rest, end, ...described }
}

/** The same for raw bytes: writes, ends its own side, and reads to the end. */
export async function overTcp(port: number, bytes: string, secure: Secure | undefined): Promise<Exchange> {
  try {
    const socket = await open(port, secure)
    const described = socket instanceof tls.TLSSocket ? { tls: describeTls(socket) } : {}
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const ended = Promise.race([once(socket, 'close'), once(socket, 'end')])
    // An end that comes together with the first bytes is for Envoy's listener filters a client that went away.
    socket.write(bytes)
    await Promise.race([once(socket, 'data'), ended, delay(quietMs * 5)])
    socket.end()
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('silent')))
    await ended
    socket.destroy()
    return { replies: [], rest: Buffer.concat(chunks).toString('latin1'), end: 'closed', ...described }
  } catch (error) {
    return { replies: [], rest: '', end: `broken: ${codeOf(error)}` }
  }
}

/** One call of HTTP/2. */
export async function overHttp2(
  port: number,
  call: {
    readonly headers: readonly (readonly [string, string])[]
    readonly body: string | undefined
    readonly trailers: Readonly<Record<string, string>> | undefined
    readonly secure: Secure | undefined
  },
): Promise<Exchange> {
  let session: http2.ClientHttp2Session | undefined
  try {
    const socket = await open(port, call.secure)
    const described = socket instanceof tls.TLSSocket ? { tls: describeTls(socket) } : {}
    session = http2.connect('http://proxy', { createConnection: () => socket })
    session.on('error', () => {})
    const headers: Record<string, string | string[]> = {}
    for (const [name, value] of call.headers) {
      const before = headers[name]
      headers[name] = before === undefined ? value : [before, value].flat()
    }
    const { body, trailers } = call
    const stream = session.request(headers, { endStream: body === undefined, waitForTrailers: trailers !== undefined })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}))
    if (body !== undefined) stream.end(body, 'latin1')
    const reply = await readHttp2(stream)
    return {
      replies: reply === undefined ? [] : [reply],
      rest: '',
      end: reply === undefined ? `reset: ${stream.rstCode}` : 'open',
      ...described,
    }
  } catch (error) {
    return { replies: [], rest: '', end: `broken: ${codeOf(error)}` }
  } finally {
    session?.destroy()
  }
}

function readHttp2(stream: http2.ClientHttp2Stream): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    let status = 0
    let headers: [string, string][] = []
    let trailers: [string, string][] = []
    const before: number[] = []
    const chunks: Buffer[] = []
    const late = setTimeout(() => stream.close(), patienceMs)
    const flat = (fields: http2.IncomingHttpHeaders): [string, string][] =>
      Object.entries(fields).flatMap(([name, value]) =>
        name.startsWith(':') ? [] : [value ?? ''].flat().map((one): [string, string] => [name, one]),
      )
    stream.on('headers', (fields) => before.push(Number(fields[':status'])))
    stream.on('response', (fields) => {
      status = Number(fields[':status'])
      headers = flat(fields)
    })
    stream.on('trailers', (fields) => (trailers = flat(fields)))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => {})
    stream.on('close', () => {
      clearTimeout(late)
      const broken = status === 0 || stream.rstCode !== 0
      resolve(
        broken ? undefined : { status, headers, body: Buffer.concat(chunks).toString('latin1'), trailers, before },
      )
    })
  })
}

async function open(port: number, secure: Secure | undefined): Promise<Socket> {
  const host = '127.0.0.1'
  if (secure === undefined) {
    const socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
  const { sni, alpn, trustPem, own } = secure
  const socket = tls.connect({
    port,
    host,
    ca: trustPem,
    checkServerIdentity: () => undefined,
    ...(sni === undefined ? {} : { servername: sni }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(own === undefined ? {} : { key: own.keyPem, cert: own.chainPem }),
  })
  await once(socket, 'secureConnect')
  return socket
}

const describeTls = (socket: tls.TLSSocket): string =>
  // In TLS 1.3 each side has an order of its own.
  `${socket.getProtocol()}${socket.getProtocol() === 'TLSv1.2' ? ` ${socket.getCipher().name}` : ''}, ALPN ${String(socket.alpnProtocol)}, ${socket.getPeerX509Certificate()?.subjectAltName ?? ''}`

const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error && String(error.code)) || error.message : String(error)

/** Cuts a stream of bytes into replies, as RFC 9112 says. */
class ReplyReader {
  readonly replies: Reply[] = []
  rest = ''
  #text = ''
  #before: number[] = []
  readonly #noBodies: boolean
  readonly #accepting: number
  constructor(noBodies: boolean, accepting: number) {
    this.#accepting = accepting
    this.#noBodies = noBodies
  }

  push(chunk: Buffer): void {
    this.#text += chunk.toString('latin1')
    if (this.replies.at(-1)?.status === this.#accepting) this.#take(this.#text.length, (text) => (this.rest += text))
    else while (this.#one(false));
  }

  finish(): void {
    this.#one(true)
    this.rest += this.#text
    this.#text = ''
  }

  #take(length: number, use: (text: string) => void): void {
    use(this.#text.slice(0, length))
    this.#text = this.#text.slice(length)
  }

  #one(ended: boolean): boolean {
    const head = this.#text.indexOf('\r\n\r\n')
    if (head < 0) return false
    const [line = '', ...fields] = this.#text.slice(0, head).split('\r\n')
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1])
    const headers = fields.map(split)
    const value = (name: string): string | undefined => headers.find(([one]) => one === name)?.[1]
    const from = head + 4
    const done = (to: number, body: string, trailers: [string, string][] = []): boolean => {
      this.replies.push({ status, headers, body, trailers, before: this.#before })
      this.#before = []
      this.#text = this.#text.slice(to)
      return this.#text !== '' && status !== this.#accepting
    }
    if (status >= 100 && status < 200 && status !== 101) {
      this.#before.push(status)
      this.#text = this.#text.slice(from)
      return this.#text !== ''
    }
    if (this.#noBodies || status === 101 || status === this.#accepting || status === 204 || status === 304)
      return done(from, '')
    if (value('transfer-encoding') === 'chunked') return this.#chunked(from, done)
    const length = value('content-length')
    if (length === undefined) return ended && done(this.#text.length, this.#text.slice(from))
    const to = from + Number(length)
    return this.#text.length >= to && done(to, this.#text.slice(from, to))
  }

  #chunked(from: number, done: (to: number, body: string, trailers: [string, string][]) => boolean): boolean {
    let at = from
    let body = ''
    for (;;) {
      const line = this.#text.indexOf('\r\n', at)
      if (line < 0) return false
      const size = Number.parseInt(this.#text.slice(at, line), 16)
      if (size === 0) {
        const end = this.#text.startsWith('\r\n', line + 2) ? line : this.#text.indexOf('\r\n\r\n', line)
        if (end < 0) return false
        const fields = this.#text
          .slice(line + 2, end)
          .split('\r\n')
          .filter((field) => field !== '')
        return done(end + 4, body, fields.map(split))
      }
      if (this.#text.length < line + 2 + size + 2) return false
      body += this.#text.slice(line + 2, line + 2 + size)
      at = line + 2 + size + 2
    }
  }
}

function split(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}
