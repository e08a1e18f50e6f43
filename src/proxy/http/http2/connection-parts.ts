import type { Sweeper } from '../../../base/sweeper.ts'
import type { Headers } from '../headers.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Field } from './hpack/field.ts'
import type { Http2Limits } from './limits.ts'
import type { PeerSettings } from './settings.ts'
import type { Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'
import type { ErrorCode } from './wire.ts'

/** What a server and a client do each in their own way. */
export interface Side {
  /** A header block has come; `fields` are valid until this returns. */
  headers(streamId: number, fields: readonly Field[], tooLarge: boolean, end: boolean): void
  /** No stream is open any more. */
  emptied(): void
  /** The peer takes no streams over `lastStreamId` any more. */
  goneAway(lastStreamId: number, cause: string): void
  /** The peer's settings are new, or the first. */
  settled(settings: PeerSettings): void
  /** Our last PING that asked for it has been answered. */
  ponged(): void
  /** About once a period. */
  sweep(nowMs: number): void
  /** Told once: the connection is over, and all its streams were told before. */
  closed(cause: string): void
  /** A bug met in a callback; the connection is cut. */
  failed(error: unknown): void
}

/** What a connection needs from outside. */
export interface ConnectionParts {
  readonly client: boolean
  readonly limits: Http2Limits
  readonly sweeper: Sweeper
  /** Preface, or header block, incomplete for so long: cut; ms, 0: for ever. */
  readonly headersTimeoutMs: number
  /** With streams open and no byte for so long the peer is asked whether it lives; ms, 0: never. */
  readonly keepAliveMs: number
  /** It has so long to answer, ms; absent: 10 s. */
  readonly pongMs?: number | undefined
  /** It is asked without open streams as well; absent: no. */
  readonly asksIdle?: boolean | undefined
}

/** What the frames that come do to a connection. */
export interface Link {
  readonly streams: Pick<StreamTable<Stream>, 'size' | 'has' | 'get' | 'all'>
  readonly writer: FrameWriter
  readonly stopped: boolean
  readonly peer: PeerSettings
  broken(code: ErrorCode, cause: string): void
  streamError(id: number, code: ErrorCode, cause: string): void
  spend(cost: number): boolean
  credit(gain: number): void
  countReset(): boolean
  allow(bytes: number): void
  allowStream(stream: Stream, bytes: number): void
  adopt(next: PeerSettings): void
  wasReset(id: number): boolean
  resetAgain(id: number): void
  isIdle(id: number): boolean
  drop(stream: Stream): void
  receiveEnd(stream: Stream, trailers: Headers | undefined): void
  taken(stream: Stream, bytes: number): void
}
