import type { Body, Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import type { Headers } from '../headers.ts'
import { ByteQueue } from './byte-queue.ts'

/** The exchange that a stream belongs to. */
export interface StreamUser {
  /** Our last byte has been handed over. */
  sent(): void
  /** The peer's last byte has come; it may still wait for its reader. */
  received(): void
  /** What goes out will never be complete, or is more or less than was announced (`undefined`). */
  sendFailed(fault: Fault | undefined): void
  /** What goes out may go on: its body is to be resumed. */
  writable(): void
  /** Nobody wants what still comes. */
  unwanted(fault: Fault): void
  /**
   * The peer reset the stream (`code`), or we did because it broke the rules (`ours`), or the connection is gone (`code` undefined).
   * The stream is off its connection.
   */
  lost(code: number | undefined, cause: string, ours: boolean): void
}

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** The peer reads too slowly. */
  readonly full: boolean
  /** Writes what windows allow of `chunk` from `from` on; returns the end of it. */
  write(stream: Stream, chunk: Buffer, from: number): number
  /** Writes the stream's end, with trailers or without. */
  writeEnd(stream: Stream, trailers: Headers | undefined): void
  /** Tells the stream (`pump`) when writing makes sense again. */
  wait(stream: Stream): void
  /** `bytes` of the stream's data have left for the reader. */
  taken(stream: Stream, bytes: number): void
}

/** One stream: a body that comes in, and a sink for the one that goes out. */
export class Stream implements Body, Sink {
  readonly id: number
  /** It is on its connection. */
  open = true
  /** Set before anything can happen. */
  user: StreamUser = nobody
  /** Coarse time of the last byte in either direction. */
  activeMs: number
  // What comes in.
  /** The final head has come, so that DATA may follow. Source: RFC 9113, section 8.1. */
  headed = false
  /** As announced by its head. */
  length: number | undefined
  receivedBytes = 0
  /** The peer has said its last. */
  received = false
  /** Octets that the peer may still send. */
  receiveWindow: number
  /** Taken octets that it has not been told of. */
  untold = 0
  // What goes out.
  sentBytes = 0
  /** Octets to go out in all, when that was announced. */
  announced: number | undefined
  sent = false
  sendWindow: number
  readonly #carrier: StreamCarrier
  #sink: Sink | undefined
  #paused = false
  /** Nothing more goes to a sink. */
  #incomingOver = false
  #waiting: ByteQueue | undefined
  #trailers: Headers | undefined
  #early: Fault | undefined
  #outgoingOver = false
  /** What has no room yet: the rest of a piece, and all that comes behind it. */
  #rest: Buffer | undefined
  #parked: ByteQueue | undefined
  #ending = false
  #endTrailers: Headers | undefined

  constructor(id: number, carrier: StreamCarrier, sendWindow: number, receiveWindow: number, nowMs: number) {
    this.id = id
    this.#carrier = carrier
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
    this.activeMs = nowMs
  }

  /** Given with the end of what is sent. */
  get sentTrailers(): Headers | undefined {
    return this.#endTrailers
  }

  // As a Body.

  start(sink: Sink): void {
    if (this.#early !== undefined) return sink.fail(this.#early)
    if (this.#incomingOver) return
    this.#sink = sink
    this.#deliver()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#deliver()
  }

  cancel(fault: Fault): void {
    if (this.#incomingOver) return
    this.stopReceiving()
    this.user.unwanted(fault)
  }

  /** A piece has come. Kept while nobody takes it; a window bounds how much. */
  receive(piece: Buffer): void {
    this.receivedBytes += piece.length
    const sink = this.#sink
    if (this.#incomingOver) return
    if (sink === undefined || this.#paused) {
      ;(this.#waiting ??= new ByteQueue()).push(piece)
      return
    }
    if (!sink.data(piece)) this.#paused = true
    this.#carrier.taken(this, piece.length)
  }

  /** The last has come. */
  receiveEnd(trailers: Headers | undefined): void {
    this.received = true
    this.#trailers = trailers
    if (this.#sink !== undefined && !this.#paused) this.#deliver()
    else if (this.#sink !== undefined && (this.#waiting?.length ?? 0) === 0) this.#endIncoming()
  }

  /** The rest will never come. */
  failReceiving(fault: Fault): void {
    if (this.#incomingOver) return
    const sink = this.#sink
    this.stopReceiving()
    if (sink === undefined) this.#early = fault
    else sink.fail(fault)
  }

  /** What has come and what comes is dropped. */
  stopReceiving(): void {
    this.#incomingOver = true
    this.#sink = undefined
    this.#waiting?.clear()
  }

  #deliver(): void {
    const waiting = this.#waiting
    while (waiting !== undefined && waiting.length > 0 && !this.#paused && this.#sink !== undefined) {
      const piece = waiting.shift()
      if (piece === undefined) break
      if (!this.#sink.data(piece)) this.#paused = true
      if (!this.#incomingOver) this.#carrier.taken(this, piece.length)
    }
    waiting?.release()
    if (this.received && (waiting?.length ?? 0) === 0) this.#endIncoming()
  }

  #endIncoming(): void {
    const sink = this.#sink
    if (this.#incomingOver || sink === undefined) return
    this.stopReceiving()
    sink.end(this.#trailers)
  }

  // As a Sink.

  data(chunk: Buffer): boolean {
    if (this.#outgoingOver || chunk.length === 0) return true
    this.sentBytes += chunk.length
    if (this.announced !== undefined && this.sentBytes > this.announced) {
      this.#failSending(undefined)
      return false
    }
    const written = this.#parked === undefined ? this.#carrier.write(this, chunk, 0) : 0
    if (written < chunk.length) {
      ;(this.#parked ??= new ByteQueue()).push(written === 0 ? chunk : chunk.subarray(written))
    } else if (!this.#carrier.full) return true
    this.#carrier.wait(this)
    return false
  }

  end(trailers?: Headers): void {
    if (this.#outgoingOver) return
    if (this.announced !== undefined && this.sentBytes !== this.announced) return this.#failSending(undefined)
    this.#outgoingOver = true
    this.#endTrailers = trailers
    if (this.#parked === undefined) this.#writeEnd()
    else this.#ending = true
  }

  fail(fault: Fault): void {
    if (!this.#outgoingOver) this.#failSending(fault)
  }

  /** Nothing more is taken, and what is parked is dropped. */
  stopSending(): void {
    this.#outgoingOver = true
    this.#ending = false
    this.#forgetParked()
  }

  /** The connection has room again. */
  pump(): void {
    const parked = this.#parked
    for (let chunk = this.#rest ?? parked?.shift(); chunk !== undefined; chunk = parked?.shift()) {
      const written = this.#carrier.write(this, chunk, 0)
      this.#rest = written < chunk.length ? chunk.subarray(written) : undefined
      if (this.#rest !== undefined) return this.#carrier.wait(this)
    }
    this.#forgetParked()
    if (this.#ending) this.#writeEnd()
    else if (this.#outgoingOver) return
    else if (this.#carrier.full) this.#carrier.wait(this)
    else this.user.writable()
  }

  #writeEnd(): void {
    this.#ending = false
    this.sent = true
    this.#carrier.writeEnd(this, this.#endTrailers)
    this.user.sent()
  }

  #forgetParked(): void {
    this.#parked?.clear()
    this.#parked?.release()
    this.#rest = this.#parked = undefined
  }

  #failSending(fault: Fault | undefined): void {
    this.stopSending()
    this.user.sendFailed(fault)
  }
}

const nobody: StreamUser = { sent() {}, received() {}, sendFailed() {}, writable() {}, unwanted() {}, lost() {} }
