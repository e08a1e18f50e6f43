import type { Fault } from './fault.ts'
import type { Headers } from './headers.ts'

/** Who takes a body's bytes. All calls are synchronous; after `end` or `fail` nothing follows. */
export interface Sink {
  /**
   * Returns false to pause until `Body.resume()`. The chunk is valid until this returns, since the next read may overwrite it: hold
   * on to `kept(chunk)` (base/shared-reads.ts).
   */
  data(chunk: Buffer): boolean
  end(trailers?: Headers): void
  fail(fault: Fault): void
}

/**
 * A push stream with exactly one consumer. Nothing flows before `start`. Not a Web or Node stream: no promise, no object per chunk.
 */
export interface Body {
  /** Bytes to come in all, when the framing says so; 0 means that there is no body. Undefined: chunked, or until the end. */
  readonly length: number | undefined
  /** Called once. May call the sink before it returns. */
  start(sink: Sink): void
  /** After `data` returned false. */
  resume(): void
  /** The consumer has lost interest. Frees all; the sink hears nothing more. Harmless after the end. */
  cancel(fault: Fault): void
}

/** No body: GET requests, 204 and 304 replies. */
export const emptyBody: Body = { length: 0, start: (sink) => sink.end(), resume() {}, cancel() {} }

/** A short body that is at hand. */
export function bytesBody(bytes: Buffer): Body {
  if (bytes.length === 0) return emptyBody
  let sink: Sink | undefined
  return {
    length: bytes.length,
    start(to) {
      sink = to
      if (sink.data(bytes)) sink.end()
    },
    resume: () => sink?.end(),
    cancel: () => void (sink = undefined),
  }
}

/** Two bodies, one each way: an accepted CONNECT or upgrade, or plain TCP. */
export interface Tunnel {
  /** What the far side says. */
  readonly incoming: Body
  /** Hands over what we say; called once. */
  send(outgoing: Body): void
}
