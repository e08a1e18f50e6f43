import type { Socket } from 'node:net'
import { readShared, startReads } from '../../../base/shared-reads.ts'

/** Who hears of a socket. */
export interface SocketEars {
  /** Bytes, valid until this returns; see `readShared`. */
  readonly onData: (chunk: Buffer) => void
  /** What was written has left. */
  readonly onDrain: () => void
  readonly onEnd: () => void
  readonly onClose: () => void
}

/** The only reader of a socket that stood still until now. */
export class SocketReader {
  readonly #socket: Socket
  readonly #ears: SocketEars
  readonly #stop: () => void
  #paused = false

  constructor(socket: Socket, ears: SocketEars) {
    this.#socket = socket
    this.#ears = ears
    this.#stop = readShared(socket, ears.onData)
    socket.on('drain', ears.onDrain).on('end', ears.onEnd).on('error', ignore).on('close', ears.onClose)
    startReads(socket)
  }

  get paused(): boolean {
    return this.#paused
  }

  flow(wanted: boolean): void {
    if (this.#paused !== wanted) return
    this.#paused = !wanted
    if (wanted) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Somebody else takes over: the socket stands still, without listeners of ours but one for errors, and `rest` is put back. */
  leave(rest: Buffer): Socket {
    const socket = this.#socket
    const { onDrain, onEnd, onClose } = this.#ears
    socket.pause()
    this.#stop()
    socket.off('drain', onDrain).off('end', onEnd).off('close', onClose)
    if (rest.length > 0) socket.unshift(Buffer.from(rest))
    return socket
  }
}

const ignore = (): void => {}
