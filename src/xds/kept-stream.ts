import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { grpcCodes, type GrpcCall, type GrpcConnection, type GrpcMethod } from './grpc-client.ts'

const baseMs = 100
const maxMs = 10_000
/** A stream that lived this long and said something was a good one: the next wait is short again. */
const goodLifeMs = 1_000

/** One of the streams that follow each other. */
export interface OneStream<I> {
  readonly call: GrpcCall<I>
  /** The server has said something on it. */
  readonly heard: boolean
}

/** What is asked of a server of configuration, and who hears its answers. */
export interface KeptStreamParts<I, O> {
  readonly method: GrpcMethod<I, O>
  /** A new connection, with the identity of the moment. */
  readonly connect: () => GrpcConnection
  /** A stream begins: whatever was said on the one before is to be said again. */
  readonly begun: (stream: OneStream<I>) => void
  /** `first`: on this stream; `failures`: attempts since the last good stream that gave nothing. */
  readonly message: (
    stream: OneStream<I>,
    message: O,
    news: { readonly first: boolean; readonly failures: number },
  ) => void
  /** Another one follows by itself. */
  readonly lost: (reason: string, failures: number) => void
  readonly clock: Clock
  readonly random: Random
}

/** A stream that is there again whenever it was lost. */
export interface KeptStream<I> {
  /** Undefined: there is none at the moment. */
  readonly present: OneStream<I> | undefined
  /** A new connection instead of this one. */
  renew(): void
  close(): void
}

/**
 * One stream after the other, each on a connection of its own; the first at once. Waits between attempts, uniform in
 * [0, min(10 s, 100 ms · 2ⁿ)): "full jitter".
 */
export function keepStream<I, O>(parts: KeptStreamParts<I, O>): KeptStream<I> {
  const { clock, random } = parts
  interface Stream extends OneStream<I> {
    readonly connection: GrpcConnection
    readonly startedMs: number
    heard: boolean
  }
  let stream: Stream | undefined
  let timer: Timer | undefined
  let failures = 0
  let closed = false

  const begin = (): void => {
    timer = undefined
    const connection = parts.connect()
    const call = connection.stream(parts.method, {
      message(message) {
        if (stream !== mine) return
        const first = !mine.heard
        mine.heard = true
        parts.message(mine, message, { first, failures })
      },
      end: ({ code, message }) => lost(mine, code === grpcCodes.ok ? 'the server ended the stream' : message),
    })
    const mine: Stream = { connection, call, startedMs: clock.nowMs(), heard: false }
    stream = mine
    void connection.closed.then((why) => lost(mine, why))
    parts.begun(mine)
  }
  const lost = (which: Stream, why: string): void => {
    if (stream !== which) return
    stream = undefined
    which.connection.close()
    if (closed) return
    if (which.heard && clock.nowMs() - which.startedMs >= goodLifeMs) failures = 0
    parts.lost(why, failures)
    timer = clock.after(random.below(Math.min(maxMs, baseMs * 2 ** failures++)), begin, { background: true })
  }

  begin()
  return {
    get present() {
      return stream
    },
    renew() {
      const old = stream
      if (old === undefined || closed) return
      stream = undefined
      old.connection.close()
      begin()
    },
    close() {
      closed = true
      timer?.cancel()
      stream?.connection.close()
      stream = undefined
    },
  }
}
