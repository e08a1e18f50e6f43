import { fromBinary, toBinary, type DescMethod, type MessageShape } from '@bufbuild/protobuf'
import http2 from 'node:http2'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { openCall } from './grpc-call.ts'
import { dial, formatTarget, type GrpcTarget } from './grpc-target.ts'
import {
  grpcCodes,
  type GrpcCall,
  type GrpcHandlers,
  type GrpcMethod,
  type GrpcOptions,
  type GrpcStatus,
} from './grpc.ts'

export type { GrpcTarget, ServerTrust } from './grpc-target.ts'
export {
  grpcCodes,
  type GrpcCall,
  type GrpcHandlers,
  type GrpcMethod,
  type GrpcOptions,
  type GrpcStatus,
} from './grpc.ts'

/** One HTTP/2 connection to a gRPC server. It does not reconnect: `closed` tells, and the owner decides. */
export interface GrpcConnection {
  /** One message each way; never rejects. */
  unary<I, O>(method: GrpcMethod<I, O>, request: I, options?: GrpcOptions): Promise<{ ok: O } | { error: GrpcStatus }>
  /** Messages both ways. `end` is called exactly once, after the last `message`, never before this returns. */
  stream<I, O>(method: GrpcMethod<I, O>, handlers: GrpcHandlers<O>, options?: GrpcOptions): GrpcCall<I>
  /** Resolves with the reason once the connection is gone. */
  readonly closed: Promise<string>
  /** At once; what is in flight ends with UNAVAILABLE. */
  close(): void
}

const connectTimeoutMs = 5_000
const pingEveryMs = 5_000
const pingTimeoutMs = 3_000
const streamWindowBytes = 1024 * 1024
const connectionWindowBytes = 8 * 1024 * 1024

/** Connects now; calls may be made at once and wait for it. A peer that stops answering is noticed in eight seconds. */
export function connectGrpc(target: GrpcTarget, { clock, log }: { clock: Clock; log: Log }): GrpcConnection {
  const over = Promise.withResolvers<string>()
  let state: { session: http2.ClientHttp2Session } | { gone: string } | undefined

  const { socket, connected } = dial(target, { clock, timeoutMs: connectTimeoutMs })
  const gone = (reason: string): void => {
    if (state !== undefined && 'gone' in state) return
    const before = state
    state = { gone: reason }
    before?.session.destroy()
    socket.destroy()
    log.debug('connection over', { target: formatTarget(target), reason })
    over.resolve(reason)
  }
  const ready = connected.then((refusal) => {
    if (refusal !== undefined) gone(`${formatTarget(target)}: ${refusal}`)
    if (state !== undefined) return
    const session = openSession(socket, gone)
    state = { session }
    keepAlive(session, clock, gone, over.promise)
  })
  const opened = ready.then((): http2.ClientHttp2Session | string =>
    state === undefined ? 'closed' : 'gone' in state ? state.gone : state.session,
  )

  return {
    stream: (method, handlers, options = {}) => openCall(opened, method, handlers, { clock, ...options }),
    unary(method, request, options = {}) {
      return new Promise((resolve) => {
        let answer: { ok: never } | undefined
        const call = openCall(
          opened,
          method,
          {
            message: (message) => (answer = { ok: message as never }),
            end: (status) => {
              if (status.code !== grpcCodes.ok) resolve({ error: status })
              else resolve(answer ?? { error: { code: grpcCodes.internal, message: 'the server sent no message' } })
            },
          },
          { clock, ...options },
        )
        call.send(request)
        call.end()
      })
    },
    closed: over.promise,
    close: () => gone('closed by us'),
  }
}

function openSession(socket: Socket, gone: (reason: string) => void): http2.ClientHttp2Session {
  const session = http2.connect('http://grpc', {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxHeaderListSize: 64 * 1024 },
  })
  session.once('connect', () => session.setLocalWindowSize(connectionWindowBytes))
  session.on('error', (error) => gone(error.message))
  session.once('close', () => gone('closed by the peer'))
  return session
}

/** PING in steady steps: a peer that lost power says nothing, and TCP would wait for minutes. */
function keepAlive(
  session: http2.ClientHttp2Session,
  clock: Clock,
  gone: (reason: string) => void,
  over: Promise<string>,
): void {
  const ping = clock.every(
    pingEveryMs,
    () => {
      let answered = false
      const giveUp = (): void => {
        if (!answered) gone(`no answer to a PING within ${pingTimeoutMs} ms`)
      }
      // After a pause of ours timers come first: an answer that the kernel has had ready meanwhile is heard before.
      const late = clock.after(pingTimeoutMs, () => setImmediate(giveUp), { background: true })
      const heard = (): void => {
        answered = true
        late.cancel()
      }
      const sent = !session.destroyed && session.ping(heard)
      if (!sent) heard()
    },
    { background: true },
  )
  void over.then(() => ping.cancel())
}

/** Path and codec of a method from its generated service descriptor. */
export function grpcMethod<M extends DescMethod>(
  method: M,
): GrpcMethod<MessageShape<M['input']>, MessageShape<M['output']>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    encode: (message) => toBinary(method.input, message),
    decode: (bytes) => fromBinary(method.output, bytes) as MessageShape<M['output']>,
  }
}
