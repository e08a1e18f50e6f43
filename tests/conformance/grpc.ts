import http from 'node:http'
import http2 from 'node:http2'
import net, { type Socket } from 'node:net'
import type { CurlReply } from '../world/curl.ts'

const withinMs = 10_000

/** A unary call with an empty message, as a case describes it. */
export interface GrpcCall {
  readonly authority: string
  /** "/package.Service/Method". */
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
}

/** Through a tunnel (CONNECT) that a proxy opens, or straight. */
export type GrpcWay =
  | { readonly proxy: string; readonly target: string }
  | { readonly host: string; readonly port: number }

/**
 * The same call so many times, one after the other over one connection. Each answer is put
 * as an HTTP one would be: the code as header `grpc-status`, what the backend saw as the JSON body of the HTTP echo.
 */
export async function callGrpc(way: GrpcWay, call: GrpcCall, times: number): Promise<readonly CurlReply[]> {
  const socket = 'proxy' in way ? await openTunnel(new URL(way.proxy), way.target) : net.connect(way)
  if (typeof socket === 'string') return Array<CurlReply>(times).fill(failed(socket))
  const session = http2.connect(`http://${call.authority}`, { createConnection: () => socket })
  session.on('error', () => {})
  const replies: CurlReply[] = []
  try {
    for (let n = 0; n < times; n++) replies.push(await callOnce(session, call))
  } finally {
    session.destroy()
    socket.destroy()
  }
  return replies
}

const failed = (error: string): CurlReply => ({ status: 0, headers: {}, body: '', error })

function openTunnel({ hostname, port }: URL, target: string): Promise<Socket | string> {
  return new Promise((resolve) => {
    const request = http.request({
      host: hostname,
      port,
      method: 'CONNECT',
      path: target,
      timeout: withinMs,
      agent: false,
    })
    request.on('connect', ({ statusCode }, socket) => {
      socket.on('error', () => {})
      if (statusCode === 200) return resolve(socket as Socket)
      socket.destroy()
      resolve(`CONNECT ${target} was answered with ${statusCode}`)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', (error) => resolve(`CONNECT ${target}: ${error.message}`))
    request.end()
  })
}

function callOnce(session: http2.ClientHttp2Session, { path, authority, metadata }: GrpcCall): Promise<CurlReply> {
  return new Promise((resolve) => {
    if (session.closed || session.destroyed) return resolve(failed('the connection has ended'))
    const stream = session.request({
      ...metadata,
      ':method': 'POST',
      ':path': path,
      ':authority': authority,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let status = 0
    let code: unknown
    const chunks: Buffer[] = []
    const look = (headers: http2.IncomingHttpHeaders): void => void (code ??= headers['grpc-status'])
    stream.setTimeout(withinMs, () => stream.close(http2.constants.NGHTTP2_CANCEL))
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0
      look(headers)
    })
    stream.on('trailers', look)
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
    stream.on('error', (error) => resolve(failed(error.message)))
    stream.on('close', () => {
      if (typeof code !== 'string') return resolve(failed(`HTTP status ${status} without grpc-status`))
      const message = Buffer.concat(chunks).subarray(5)
      resolve({ status, headers: { 'grpc-status': [code] }, body: code === '0' ? echoJson(message) : '', error: '' })
    })
    stream.end(Buffer.alloc(5))
  })
}

/** EchoResponse { EchoAssertions assertions = 1 }, with what the comparison wants to know. */
function echoJson(message: Buffer): string {
  const [assertions = Buffer.alloc(0)] = fieldsOf(message, 1)
  const [context = Buffer.alloc(0)] = fieldsOf(assertions, 4)
  const text = (from: Buffer, number: number): string => fieldsOf(from, number)[0]?.toString('utf8') ?? ''
  const headers: Record<string, string[]> = {}
  for (const header of fieldsOf(assertions, 2)) (headers[text(header, 1)] ??= []).push(text(header, 2))
  return JSON.stringify({
    method: 'POST',
    path: text(assertions, 1),
    host: text(assertions, 3),
    headers,
    namespace: text(context, 1),
    pod: text(context, 4),
  })
}

/** Values of a length-delimited field; the echo's messages have no others. */
function fieldsOf(message: Buffer, wanted: number): readonly Buffer[] {
  const values: Buffer[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const length = varint()
    if (key >> 3 === wanted) values.push(message.subarray(at, at + length))
    at += length
  }
  return values
}
