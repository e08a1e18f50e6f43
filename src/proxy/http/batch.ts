import type { Socket } from 'node:net'

/** As much as one read gives, in whole frames of DATA, and what else a turn has to say. */
export const batchBytes = 139_264
/** Batches that nobody writes to now; an idle connection holds none. */
const spare: Buffer[] = []
const mostSpare = 64
const nothing = Buffer.alloc(0)

/** Room for `batchBytes`, to be given back by `writeBatch`. */
export const takeBatch = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(batchBytes)

/**
 * Writes the first `length` bytes of a buffer that nobody else uses, and keeps it for the next one when it is a batch. Usually the
 * kernel takes them at once, and the next socket of this turn can have the same batch; a callback would cost a tick of Node's.
 */
export function writeBatch(socket: Socket, batch: Buffer, length: number): void {
  if (length === 0 || !socket.writable) return release(batch)
  const bytes = batch.subarray(0, length)
  // A short one that has to wait is kept in its own size, or small answers to a peer that does not read would hold a batch each.
  if (socket.writableLength > 0 && length < batchBytes >> 1) {
    socket.write(Buffer.from(bytes))
    return release(batch)
  }
  socket.write(bytes)
  if (socket.writableLength === 0) release(batch)
  // Nothing, behind the bytes: it is told when they have gone.
  else socket.write(nothing, () => release(batch))
}

function release(batch: Buffer): void {
  if (batch.length === batchBytes && spare.length < mostSpare) spare.push(batch)
}
