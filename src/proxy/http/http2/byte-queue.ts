import { blockBytes, giveBlock, kept, takeBlock } from '../../../base/shared-reads.ts'

/** A single piece up to this size is copied for itself: most replies are one, and would waste a block. */
const smallBytes = 1024
/** The least that is made when no block is to be had. */
const leastBytes = 4096

/** Bytes that wait for a reader. Pieces share blocks, so that n bytes take about n bytes, however they were cut. */
export class ByteQueue {
  length = 0
  /** All there is, when it came as one small piece. */
  #only: Buffer | undefined
  #blocks: Buffer[] | undefined
  #next = 0
  /** Octets in the newest block; all others are full. */
  #filled = 0
  /** The block that was handed out last: its reader is not done with it before the next call. */
  #given: Buffer | undefined

  push(piece: Buffer): void {
    if (this.length === 0 && piece.length <= smallBytes) this.#only = kept(piece)
    else this.#append(piece)
    this.length += piece.length
  }

  /** The oldest bytes, or undefined when nothing waits. They are lent until the next `shift` or `release`, see `kept`. */
  shift(): Buffer | undefined {
    this.release()
    const only = this.#only
    if (only !== undefined) {
      this.#only = undefined
      this.length -= only.length
      return only
    }
    const blocks = this.#blocks
    const block = blocks?.[this.#next]
    if (blocks === undefined || block === undefined) return undefined
    this.#given = block
    this.#next++
    const isNewest = this.#next === blocks.length
    const bytes = isNewest ? block.subarray(0, this.#filled) : block
    if (isNewest) {
      this.#blocks = undefined
      this.#next = 0
    }
    this.length -= bytes.length
    return bytes
  }

  /** What was handed out last is not read any more. */
  release(): void {
    if (this.#given === undefined) return
    giveBlock(this.#given)
    this.#given = undefined
  }

  /** Forgets what waits. */
  clear(): void {
    const blocks = this.#blocks ?? []
    for (let at = this.#next; at < blocks.length; at++) giveBlock(blocks[at] ?? nothing)
    this.#blocks = this.#only = undefined
    this.#next = this.length = 0
  }

  #append(piece: Buffer): void {
    const blocks = (this.#blocks ??= [])
    let block = blocks.at(-1)
    for (let from = 0; from < piece.length;) {
      if (block === undefined || this.#filled === block.length) {
        block = takeBlock() ?? Buffer.allocUnsafe(Math.min(blockBytes, Math.max(piece.length - from, leastBytes)))
        blocks.push(block)
        this.#filled = 0
      }
      const count = piece.copy(block, this.#filled, from)
      this.#filled += count
      from += count
    }
  }
}

const nothing = Buffer.alloc(0)
