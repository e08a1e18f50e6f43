import type { Socket } from 'node:net'
import { kept, readShared, roomBytes } from '../base/shared-reads.ts'
import { openSplice, type Splice } from '../base/splice.ts'
import type { Swept, Sweeper } from '../base/sweeper.ts'
import { batchBytes, takeBatch, writeBatch } from './http/batch.ts'
import { plainDescriptor } from './listener/handles.ts'

/** How long two joined connections may be silent, and last; 0 or absent: for ever. */
export interface JoinLimits {
  readonly idleTimeoutMs: number
  readonly maxDurationMs?: number | undefined
}

/** Bytes of the downstream, in all. */
export interface Carried {
  readonly received: number
  readonly sent: number
}

/** Copies both ways until both ends have come; a break on one side breaks the other. `closed` is called when both are closed. Gives what has been carried so far. */
export function joinSockets(
  downstream: Socket,
  upstream: Socket,
  { idleTimeoutMs, maxDurationMs = 0, sweeper }: JoinLimits & { readonly sweeper: Sweeper },
  closed: (carried: Carried) => void,
): () => Carried {
  const startedMs = sweeper.nowMs
  const up = new Way(downstream, upstream)
  const down = new Way(upstream, downstream)
  const carried = (): Carried => ({
    received: downstream.bytesRead + up.takenUnseen,
    sent: downstream.bytesWritten + down.givenUnseen,
  })
  let moved = 0
  let movedMs = startedMs
  const deadline: Swept = {
    sweep(nowMs) {
      const { received, sent } = carried()
      if (received + sent !== moved) [moved, movedMs] = [received + sent, nowMs]
      else if (idleTimeoutMs > 0 && nowMs - movedMs >= idleTimeoutMs + sweeper.periodMs) downstream.destroy()
      if (maxDurationMs > 0 && nowMs - startedMs >= maxDurationMs) downstream.destroy()
    },
  }
  let left = 2
  const onClose = (other: Socket) => (failed: boolean) => {
    // A clean end has been passed on by its way; what broke off must not look like one.
    if (failed) breakOff(other)
    else if (!other.writableEnded) other.destroy()
    if (--left > 0) return
    sweeper.remove(deadline)
    closed(carried())
  }
  sweeper.add(deadline)
  downstream.on('error', ignore).on('close', onClose(upstream))
  upstream.on('error', ignore).on('close', onClose(downstream))
  up.start()
  down.start()
  return carried
}

/** By a reset, where there can be one: a mere close would be a clean end. */
function breakOff(socket: Socket): void {
  if (plainDescriptor(socket) === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

/** From here on a write without Node is cheaper than a copy for Node. */
const directBytes = 32_768
/** What one turn of the event loop moves of one connection, before others have theirs. */
const turnBytes = 1_048_576

/** One for the process, made when first needed; undefined: not asked yet. */
let shared: { readonly splice: Splice | undefined } | undefined
const spliceOfProcess = (): Splice | undefined => (shared ??= { splice: openSplice() }).splice

/**
 * Everything that comes, at the pace of who takes it, and the end behind it. Where both are plain connections and much comes at once, the
 * kernel passes it on by itself.
 */
class Way {
  readonly #from: Socket
  readonly #to: Socket
  /** Bytes that Node did not count at `from`, and at `to`. */
  takenUnseen = 0
  givenUnseen = 0
  /** The kernel may take so much before we know whether the other side does: that is what a reader that stands still costs. */
  #most = roomBytes

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
  }

  start(): void {
    const [from, to] = [this.#from, this.#to]
    readShared(from, (chunk) => {
      if (chunk.length < directBytes || !this.#passOn(chunk)) this.#write(chunk)
      if (to.writableNeedDrain) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('end', () => to.end())
    from.resume()
  }

  #write(chunk: Buffer): void {
    if (chunk.length > batchBytes) return void this.#to.write(kept(chunk))
    const batch = takeBatch()
    writeBatch(this.#to, batch, chunk.copy(batch))
  }

  /** False: Node is to write it. */
  #passOn(chunk: Buffer): boolean {
    const to = this.#to
    // What Node has still to write comes first.
    const fd = to.writableLength === 0 && to.writable ? plainDescriptor(to) : undefined
    const splice = fd === undefined ? undefined : spliceOfProcess()
    if (fd === undefined || splice === undefined) return false
    const sent = splice.send(fd, chunk)
    this.givenUnseen += sent
    if (sent < chunk.length) to.write(Buffer.from(chunk.subarray(sent)))
    else if (chunk.length === roomBytes) this.#moveMore(splice, fd)
    return true
  }

  /** A read that came full has more behind it. */
  #moveMore(splice: Splice, to: number): void {
    const from = plainDescriptor(this.#from)
    if (from === undefined) return
    for (let moved = 0; moved < turnBytes;) {
      const { taken, left, broken } = splice.move(from, to, this.#most)
      if (broken) return void this.#from.destroy(new Error('reset by the peer'))
      moved += taken
      this.takenUnseen += taken
      this.givenUnseen += taken - left
      if (left > 0) {
        this.#most = roomBytes
        return this.#writeLeft(splice, left)
      }
      if (taken < this.#most) return
      this.#most = Math.min(this.#most * 2, turnBytes)
    }
    // The other connections' turn.
    this.#from.pause()
    setImmediate(() => {
      if (!this.#to.writableNeedDrain) this.#from.resume()
    })
  }

  #writeLeft(splice: Splice, bytes: number): void {
    for (let left = bytes; left > 0;) {
      const batch = takeBatch()
      const read = splice.read(batch)
      if (read <= 0) throw new Error(`${left} bytes were lost in a pipe`)
      writeBatch(this.#to, batch, read)
      left -= read
    }
  }
}

const ignore = (): void => {}
