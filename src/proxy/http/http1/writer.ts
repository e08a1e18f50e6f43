import type { Socket } from 'node:net'
import { kept } from '../../../base/shared-reads.ts'
import { batchBytes, takeBatch, writeBatch } from '../batch.ts'
import { flushSoon } from '../flush.ts'

/** Below this, copying into the batch is cheaper than a second write. */
const smallBytes = 4 * 1024
const textBytes = 16 * 1024

/**
 * The only writer of a socket. Heads and small pieces gather in one string that is written once per turn of the event loop; large
 * pieces go out at once, behind what has gathered, copied into one write.
 */
export class SocketWriter {
  readonly #socket: Socket
  #batch = ''
  #waiting = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Bytes as latin1. */
  text(text: string): void {
    this.#batch += text
    if (this.#waiting) return
    this.#waiting = true
    flushSoon(this)
  }

  /** `before` and `after` are framing. Returns false when the peer reads too slowly: wait for the socket's "drain". */
  data(chunk: Buffer, before = '', after = ''): boolean {
    if (chunk.length <= smallBytes) {
      this.text(before + chunk.toString('latin1') + after)
      if (this.#batch.length > textBytes) this.flush()
    } else if (!this.#socket.destroyed) {
      this.#large(this.#batch + before, chunk)
      this.#batch = after
      if (after !== '') this.text('')
    }
    return !this.#socket.writableNeedDrain
  }

  #large(head: string, chunk: Buffer): void {
    const socket = this.#socket
    if (head.length + chunk.length > batchBytes) {
      if (head !== '') socket.write(head, 'latin1')
      socket.write(kept(chunk))
      return
    }
    const out = takeBatch()
    const at = out.write(head, 'latin1')
    writeBatch(socket, out, at + chunk.copy(out, at))
  }

  flush(): void {
    this.#waiting = false
    const batch = this.#batch
    this.#batch = ''
    if (batch !== '' && this.#socket.writable) this.#socket.write(batch, 'latin1')
  }

  /**
   * Writes what is there and ends our direction. `both`: the other one too, if the socket is plain and has taken all; the kernel
   * delivers it, and nobody here waits for the peer's end.
   */
  end(both = false): void {
    this.flush()
    const socket = this.#socket
    if (both && socket.writableLength === 0 && !('encrypted' in socket)) socket.destroy()
    else socket.end()
  }
}
