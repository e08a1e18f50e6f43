import type { Address } from './address.ts'
import { formatIp } from './ip-prefix.ts'

// A datagram on its way between two processes of ours, with the two ends that it had: one byte says how long addresses are (4 or 16),
// then source and destination, each address and port, then what it carries. An answer goes back behind the very same head.

/** One that was read. */
export interface FramedDatagram {
  /** All but the payload. Whoever has the same is of the same conversation. */
  readonly head: Buffer
  readonly source: Address
  readonly destination: Address
  readonly payload: Buffer
}

/** Length of the head before the payload, in bytes, for addresses of so many. */
export const headBytes = (addressBytes: 4 | 16): number => 1 + 2 * (addressBytes + 2)

/** Where the parts stand in the head. */
export const headPlaces = (addressBytes: 4 | 16): { readonly source: number; readonly destination: number } => ({
  source: 1,
  destination: 1 + addressBytes + 2,
})

/** Undefined when it is none. The result shares the memory of `bytes`. */
export function readFrame(bytes: Buffer): FramedDatagram | undefined {
  const size = bytes[0]
  if ((size !== 4 && size !== 16) || bytes.length < headBytes(size)) return undefined
  const { source, destination } = headPlaces(size)
  const end = (at: number): Address => ({
    host: formatIp(bytes.subarray(at, at + size)),
    port: bytes.readUInt16BE(at + size),
  })
  const length = headBytes(size)
  return {
    head: bytes.subarray(0, length),
    source: end(source),
    destination: end(destination),
    payload: bytes.subarray(length),
  }
}
