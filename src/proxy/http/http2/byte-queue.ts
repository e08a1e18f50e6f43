import { kept } from '../../../base/shared-reads.ts'

/** Bytes that wait for a reader. Small pieces share blocks, so that n bytes take about n bytes, however they were cut. */
export class ByteQueue {
  length = 0
  readonly #blocks: Buffer[] = []
  #next = 0
  /** The newest block, when it is ours and has room behind `#filled`. */
  #open: Buffer | undefined
  #filled = 0

  /** Keeps the first piece as it is if it may, and copies what comes behind it. */
  push(piece: Buffer): void {
    if (this.length === 0) this.#blocks.push(kept(piece))
    else this.#append(piece)
    this.length += piece.length
  }

  /** The oldest block, or undefined when nothing waits. */
  shift(): Buffer | undefined {
    const block = this.#blocks[this.#next]
    if (block === undefined) return undefined
    this.#next++
    const isOpen = this.#next === this.#blocks.length && this.#open !== undefined
    const bytes = isOpen ? block.subarray(0, this.#filled) : block
    if (this.#next === this.#blocks.length) this.clear()
    else this.length -= bytes.length
    return bytes
  }

  clear(): void {
    this.#blocks.length = this.#next = this.length = 0
    this.#open = undefined
  }

  #append(piece: Buffer): void {
    let from = 0
    const open = this.#open
    if (open !== undefined) {
      from = piece.copy(open, this.#filled)
      this.#filled += from
      if (from === piece.length) return
    }
    const rest = piece.length - from
    const block = Buffer.allocUnsafe(Math.max(rest, blockBytes))
    this.#blocks.push(block)
    this.#open = block
    this.#filled = piece.copy(block, 0, from)
  }
}

const blockBytes = 4096
