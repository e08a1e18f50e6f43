import { headBytes, headPlaces } from '../../../base/datagram-frame.ts'

/** The IP packet of an answer: from where the datagram of this frame was for, back to where it came from. Source: RFC 768, 791, 8200. */
export function answerPacket(frame: Buffer): { readonly packet: Buffer; readonly to: Uint8Array } | undefined {
  const size = frame[0]
  if ((size !== 4 && size !== 16) || frame.length < headBytes(size)) return undefined
  const places = headPlaces(size)
  const [source, destination] = [places.destination, places.source]
  const payload = frame.subarray(headBytes(size))
  const ipBytes = size === 4 ? 20 : 40
  const udpBytes = 8 + payload.length
  if ((size === 4 ? ipBytes : 0) + udpBytes > 0xff_ff) return undefined
  const packet = Buffer.alloc(ipBytes + udpBytes)
  const from = frame.subarray(source, source + size)
  const to = frame.subarray(destination, destination + size)
  if (size === 4) writeIpv4(packet, from, to)
  else writeIpv6(packet, from, to, udpBytes)
  frame.copy(packet, ipBytes, source + size, source + size + 2)
  frame.copy(packet, ipBytes + 2, destination + size, destination + size + 2)
  packet.writeUInt16BE(udpBytes, ipBytes + 4)
  payload.copy(packet, ipBytes + 8)
  // IPv4 may go without a checksum.
  if (size === 16) packet.writeUInt16BE(checksum(packet.subarray(8), udpBytes), ipBytes + 6)
  return { packet, to }
}

const udp = 17
const hops = 64

/** Length, identification and checksum are the kernel's to write. */
function writeIpv4(packet: Buffer, from: Uint8Array, to: Uint8Array): void {
  packet[0] = 0x45
  packet[8] = hops
  packet[9] = udp
  packet.set(from, 12)
  packet.set(to, 16)
}

function writeIpv6(packet: Buffer, from: Uint8Array, to: Uint8Array, udpBytes: number): void {
  packet[0] = 0x60
  packet.writeUInt16BE(udpBytes, 4)
  packet[6] = udp
  packet[7] = hops
  packet.set(from, 8)
  packet.set(to, 24)
}

/** Of both addresses, length, protocol and datagram; never 0, which would mean "none". Source: RFC 1071, RFC 8200 section 8.1. */
function checksum(addressesAndDatagram: Buffer, udpBytes: number): number {
  let sum = udpBytes + udp
  const { length } = addressesAndDatagram
  for (let at = 0; at + 1 < length; at += 2) sum += addressesAndDatagram.readUInt16BE(at)
  if (length % 2 === 1) sum += (addressesAndDatagram[length - 1] ?? 0) << 8
  while (sum > 0xff_ff) sum = (sum & 0xff_ff) + Math.floor(sum / 0x1_00_00)
  return 0xff_ff - sum || 0xff_ff
}
