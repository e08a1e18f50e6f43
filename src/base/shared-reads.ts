import type { Socket } from 'node:net'

/** As much as one read takes: with 64 KiB a download cost half as much again (`npm run bench -- tcp`). */
export const roomBytes = 131_072
/** What `takeBlock` gives. */
export const blockBytes = 16_384
const mostBlocks = 64

/** One piece of memory for all that is only lent; pages that nobody has written to do not exist yet. */
const lent = Buffer.allocUnsafeSlow(roomBytes + mostBlocks * blockBytes)
/** Where every socket's bytes are read to, one after the other. */
const room = lent.subarray(0, roomBytes)
const blocks: Buffer[] = Array.from({ length: mostBlocks }, (_, index) => {
  const from = roomBytes + index * blockBytes
  return lent.subarray(from, from + blockBytes)
})

/**
 * A chunk for longer than the call that gave it: a copy where it stands in memory that is soon used for something else, such as the
 * room that the next read of any socket overwrites, else itself.
 */
export const kept = (chunk: Buffer): Buffer => (chunk.buffer === lent.buffer ? Buffer.from(chunk) : chunk)

/**
 * `blockBytes` for bytes that wait a moment; undefined when all blocks are lent. What is handed on from it is for `kept` as what was
 * read is. New memory for each such wait made the collector a third of the work (`npm run bench -- bodies`).
 */
export const takeBlock = (): Buffer | undefined => blocks.pop()

/** Gives back what `takeBlock` lent, once; other buffers may be given too. */
export function giveBlock(block: Buffer): void {
  if (block.buffer === lent.buffer) blocks.push(block)
}

/** What Node's `onread` option sets, which it offers to sockets that connect and not to those that are accepted. */
interface Internals {
  [internal: symbol]: unknown
  readonly _handle?: { useUserBuffer?(buffer: Buffer): void } | null
}

/**
 * Gives a socket's bytes to `take` without a buffer of their own for each read, which cost more to collect than to fill: a chunk is
 * valid until `take` returns, see `kept`. What the stream holds already comes first; 'end', 'close', pause and resume stay as they
 * are. Returns how to go back to ordinary reads. Streams that are no sockets, and Nodes with other insides, just tell 'data'.
 */
export function readShared(socket: Socket, take: (chunk: Buffer) => void): () => void {
  socket.on('data', take)
  const internals = socket as unknown as Internals
  const symbols = symbolsOf(socket)
  if (symbols === undefined || typeof internals._handle?.useUserBuffer !== 'function')
    return () => void socket.off('data', take)
  internals[symbols.buffer] = room
  internals[symbols.told] = (bytes: number): boolean => {
    take(room.subarray(0, bytes))
    return true
  }
  internals._handle.useUserBuffer(room)
  return () => {
    socket.off('data', take)
    internals[symbols.told] = (bytes: number): boolean => socket.push(Buffer.from(room.subarray(0, bytes)))
  }
}

/** Begins to read a socket that was given to `readShared` and stands still. Nothing flows through its stream then, so that needs no turn. */
export function startReads(socket: Socket): void {
  const isShared = found !== undefined && (socket as unknown as Internals)[found.buffer] === room
  if (isShared && socket.readableLength === 0) socket.read(0)
  else socket.resume()
}

interface Symbols {
  readonly buffer: symbol
  readonly told: symbol
}
let found: Symbols | undefined

function symbolsOf(socket: Socket): Symbols | undefined {
  if (found === undefined) {
    const own = Object.getOwnPropertySymbols(socket)
    const buffer = own.find(({ description }) => description === 'kBuffer')
    const told = own.find(({ description }) => description === 'kBufferCb')
    if (buffer === undefined || told === undefined) return undefined
    found = { buffer, told }
  }
  return found
}
