import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

const buffer = Symbol('kBuffer')
const told = Symbol('kBufferCb')

/**
 * One end of a connection without a network: what is written is kept, what is fed is read. Like a real socket it reads into one room
 * when it is asked to, which is overwritten after each read: who kept a chunk without a copy sees what becomes of it.
 */
export class MemorySocket extends Duplex {
  readonly written: Buffer[] = []
  readonly _handle = {
    useUserBuffer: (room: Buffer): void => {
      this.#room = room
    },
  }
  #room: Buffer | undefined

  constructor() {
    super({ allowHalfOpen: true, autoDestroy: true })
    this.on('error', () => {})
    this.#internals[buffer] = this.#internals[told] = undefined
  }

  /** Where Node's own sockets have what `readShared` sets. */
  get #internals(): Record<symbol, ((bytes: number) => boolean) | undefined> {
    return this as unknown as Record<symbol, ((bytes: number) => boolean) | undefined>
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Who writes may use the buffer again afterwards.
    this.written.push(Buffer.from(chunk))
    done()
  }

  /** The codecs use of a socket only what every stream has. */
  asSocket(): Socket {
    return this as unknown as Socket
  }

  bytes(): Buffer {
    return Buffer.concat(this.written)
  }

  /** Feeds the pieces, each in a turn of its own, and waits until nothing moves any more. */
  async feed(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (this.destroyed || this.readableEnded) break
      this.#read(piece)
      await turns(2)
    }
    await this.settled()
  }

  #read(piece: Buffer): void {
    const room = this.#room
    const take = this.#internals[told]
    if (room === undefined || take === undefined || this.isPaused() || this.readableLength > 0) {
      this.push(Buffer.from(piece))
      return
    }
    take(piece.copy(room))
    room.fill(0xaa, 0, piece.length)
  }

  async settled(): Promise<void> {
    for (let before = -1; before !== this.written.length;) {
      before = this.written.length
      await turns(4)
    }
  }
}

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/** The values of promises that must be settled by now; throws when one is not, since nothing would settle it any more. */
export async function settledBy<T>(promises: readonly Promise<T>[], what: string): Promise<readonly T[]> {
  const late = Symbol('late')
  const values = await Promise.all(promises.map((one) => Promise.race([one, turns(20).then((): typeof late => late)])))
  return values.map((value, index) => {
    if (value === late) throw new Error(`${what} ${index} never ended`)
    return value
  })
}
