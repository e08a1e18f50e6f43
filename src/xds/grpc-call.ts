import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import type { Clock, Timer } from '../base/clock.ts'
import { deframer, frame } from './grpc-frames.ts'
import {
  grpcCodes,
  type GrpcCall,
  type GrpcHandlers,
  type GrpcMethod,
  type GrpcOptions,
  type GrpcStatus,
} from './grpc.ts'

/**
 * One call on a connection that may still be opening (a string: it failed, and why). Source: gRPC over HTTP/2.
 * `handlers.end` comes exactly once and never before this function has returned.
 */
export function openCall<I, O>(
  opened: Promise<ClientHttp2Session | string>,
  method: GrpcMethod<I, O>,
  handlers: GrpcHandlers<O>,
  { clock, metadata = {}, timeoutMs }: GrpcOptions & { clock: Clock },
): GrpcCall<I> {
  let stream: ClientHttp2Stream | undefined
  let over = false
  const waiting: (Buffer | 'end')[] = []
  let timer: Timer | undefined

  const finish = (status: GrpcStatus): void => {
    if (over) return
    over = true
    timer?.cancel()
    if (stream !== undefined && !stream.closed)
      stream.close(status.code === grpcCodes.ok ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL)
    handlers.end(status)
  }
  if (timeoutMs !== undefined) {
    const late = { code: grpcCodes.deadlineExceeded, message: `no answer within ${timeoutMs} ms` }
    timer = clock.after(timeoutMs, () => finish(late), { background: true })
  }
  void opened.then((session) => {
    if (over) return
    if (typeof session === 'string') return finish({ code: grpcCodes.unavailable, message: session })
    if (session.closed || session.destroyed)
      return finish({ code: grpcCodes.unavailable, message: 'the connection is closing' })
    stream = session.request({
      ':method': 'POST',
      ':path': method.path,
      te: 'trailers',
      'content-type': 'application/grpc',
      'user-agent': 'weft',
      ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${Math.ceil(timeoutMs)}m` }),
      ...metadata,
    })
    receive(stream, method, handlers, finish, () => over)
    for (const one of waiting)
      if (one === 'end') stream.end()
      else stream.write(one)
    waiting.length = 0
  })

  return {
    send(message) {
      if (over) return false
      const bytes = frame(method.encode(message))
      if (stream === undefined) {
        waiting.push(bytes)
        return true
      }
      return !stream.writableEnded && !stream.destroyed && stream.write(bytes)
    },
    end() {
      if (stream === undefined) waiting.push('end')
      else stream.end()
    },
    cancel: () => queueMicrotask(() => finish({ code: grpcCodes.cancelled, message: 'cancelled by us' })),
  }
}

/** Status comes in the trailers, or in the head when there is nothing else ("Trailers-Only"); without one HTTP speaks for it. */
function receive<O>(
  stream: ClientHttp2Stream,
  method: GrpcMethod<never, O>,
  handlers: GrpcHandlers<O>,
  finish: (status: GrpcStatus) => void,
  isOver: () => boolean,
): void {
  const frames = deframer()
  let status: GrpcStatus | undefined
  let refusal: GrpcStatus | undefined

  stream.on('response', (headers) => {
    status = statusIn(headers)
    refusal = refusalByHttp(headers)
    if (status === undefined && refusal !== undefined) finish(refusal)
  })
  stream.on('trailers', (headers) => (status ??= statusIn(headers)))
  stream.on('data', (chunk: Buffer) => {
    if (isOver()) return
    const cut = frames.push(chunk)
    if ('error' in cut)
      return finish({ code: cut.tooLarge ? grpcCodes.resourceExhausted : grpcCodes.internal, message: cut.error })
    for (const bytes of cut.messages) {
      if (isOver()) return
      const message = decoded(method, bytes)
      if (message === undefined)
        return finish({ code: grpcCodes.internal, message: 'a message that cannot be decoded' })
      handlers.message(message.value)
    }
  })
  stream.on('end', () => {
    if (status !== undefined) finish(status)
    else stream.close()
  })
  // Keeps the process alive through anything that a peer may do; 'close' follows and settles the call.
  let problem: string | undefined
  stream.on('error', (error) => (problem = error.message))
  stream.on('close', () => {
    const session = stream.session
    const lost = session === undefined || session.destroyed || session.closed
    finish(status ?? (lost ? lostConnection(problem) : statusOfReset(stream.rstCode, problem)))
  })
}

function decoded<O>(method: GrpcMethod<never, O>, bytes: Uint8Array): { value: O } | undefined {
  try {
    return { value: method.decode(bytes) }
  } catch {
    return undefined
  }
}

function statusIn(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const code = headers['grpc-status']
  if (typeof code !== 'string') return undefined
  const text = headers['grpc-message']
  const known = /^\d{1,2}$/.test(code)
  return { code: known ? Number(code) : grpcCodes.unknown, message: typeof text === 'string' ? unescaped(text) : '' }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Source: gRPC, "HTTP to gRPC Status Code Mapping". */
const codeOfHttp: Readonly<Record<number, number>> = {
  400: grpcCodes.internal,
  401: grpcCodes.unauthenticated,
  403: grpcCodes.permissionDenied,
  404: grpcCodes.unimplemented,
  429: grpcCodes.unavailable,
  502: grpcCodes.unavailable,
  503: grpcCodes.unavailable,
  504: grpcCodes.unavailable,
}

function refusalByHttp(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const status = Number(headers[':status'])
  if (status !== 200) return { code: codeOfHttp[status] ?? grpcCodes.unknown, message: `HTTP status ${status}` }
  const type = headers['content-type'] ?? ''
  return type.startsWith('application/grpc')
    ? undefined
    : { code: grpcCodes.unknown, message: `the answer is "${type}", not gRPC` }
}

const lostConnection = (problem: string | undefined): GrpcStatus => ({
  code: grpcCodes.unavailable,
  message: problem ?? 'the connection was lost',
})

/** Source: gRPC over HTTP/2, "Errors". */
function statusOfReset(code: number | undefined, problem: string | undefined): GrpcStatus {
  const message = problem ?? `the stream ended without a status (HTTP/2 code ${code ?? 'none'})`
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return { code: grpcCodes.unavailable, message }
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return { code: grpcCodes.resourceExhausted, message }
    case constants.NGHTTP2_PROTOCOL_ERROR:
    case constants.NGHTTP2_INTERNAL_ERROR:
    case constants.NGHTTP2_FRAME_SIZE_ERROR:
    case constants.NGHTTP2_COMPRESSION_ERROR:
      return { code: grpcCodes.internal, message }
    default:
      // The connection went away, or the server gave up: try again.
      return { code: grpcCodes.unavailable, message }
  }
}
