// What Node has no call for, from Linux's own library by `node:ffi`: sockets that take what was sent to others, and that answer in their
// name. Constants are those of Linux on x64 and arm64.

import { systemLibrary } from '../../../base/system-library.ts'

const ffi = requireLibrary()
const { functions: libc } = ffi.dlopen(null, {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  connect: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  fcntl: { arguments: ['i32', 'i32', 'i64'], return: 'i32' },
  recvmsg: { arguments: ['i32', 'pointer', 'i32'], return: 'i64' },
  sendto: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'], return: 'i64' },
})

/** Throws when there is none: then nothing of this module can be used. */
function requireLibrary(): NonNullable<ReturnType<typeof systemLibrary>> {
  const library = systemLibrary()
  if (library === undefined) throw new Error('this Node has no module for system calls (node:ffi)')
  return library
}

export type Family = 4 | 6

const domains = { 4: 2, 6: 10 } as const
const levels = { 4: 0, 6: 41 } as const
const addressBytes = { 4: 4, 6: 16 } as const
/** Where the address stands in sockaddr_in and sockaddr_in6, and how long these are. */
const addressAt = { 4: 4, 6: 8 } as const
const nameBytes = { 4: 16, 6: 28 } as const
const nonBlocking = 0x800
const closedOnExec = 0x8_0000
const now = 0x40

/** A socket of the kind, not inherited by programs; throws when the system has none for us. */
function open(family: Family, kind: 'datagrams' | 'raw', protocol: number): number {
  const fd = libc.socket(domains[family], (kind === 'raw' ? 3 : 2) | nonBlocking | closedOnExec, protocol)
  if (fd < 0) throw new Error(`no ${kind} socket of IPv${family}`)
  return fd
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  if (libc.setsockopt(fd, level, option, ffi.getRawPointer(bytes), 4) !== 0)
    throw new Error(`socket option ${level}/${option} is refused`)
}

/** A sockaddr. */
function nameOf(family: Family, address: Uint8Array, port: number): Buffer {
  const name = Buffer.alloc(nameBytes[family])
  name.writeUInt16LE(domains[family], 0)
  name.writeUInt16BE(port, 2)
  name.set(address, addressAt[family])
  return name
}

const loopback = { 4: Uint8Array.of(127, 0, 0, 1), 6: Uint8Array.of(...Array<number>(15).fill(0), 1) } as const

/** From now on SIGIO says that something has come; everything that there is must be taken then. */
function tellOfArrivals(fd: number): void {
  const [setFlags, setOwner, async] = [4, 8, 0x2000]
  libc.fcntl(fd, setOwner, BigInt(process.pid))
  libc.fcntl(fd, setFlags, BigInt(nonBlocking | async))
}

function bound(fd: number, family: Family, port: number): number {
  const name = nameOf(family, loopback[family], port)
  if (libc.bind(fd, ffi.getRawPointer(name), name.length) !== 0) throw new Error(`UDP port ${port} is taken`)
  tellOfArrivals(fd)
  return fd
}

/** Takes datagrams that were for anybody, as the rules send them to `port` (tproxy). Needs CAP_NET_ADMIN. Source: ip(7), ipv6(7). */
export function openTransparent(family: Family, port: number): number {
  const fd = open(family, 'datagrams', 0)
  const [transparent, originalDestination] = family === 4 ? [19, 20] : [75, 74]
  setOption(fd, levels[family], transparent, 1)
  setOption(fd, levels[family], originalDestination, 1)
  return bound(fd, family, port)
}

/** Sends IP packets as they are written, from whatever address they name. Needs CAP_NET_RAW and, for the mark, CAP_NET_ADMIN. Source: raw(7). */
export function openRaw(family: Family, mark: number): number {
  const [anyHeader, socketLevel, markOption] = [255, 1, 36]
  const fd = open(family, 'raw', anyHeader)
  setOption(fd, socketLevel, markOption, mark)
  return fd
}

/** One end of a pair on loopback: hears from the other end only. */
export function openPair(port: number, otherPort: number): number {
  const fd = bound(open(4, 'datagrams', 0), 4, port)
  const other = nameOf(4, loopback[4], otherPort)
  libc.connect(fd, ffi.getRawPointer(other), other.length)
  return fd
}

/** Writes to whoever the socket is connected to. What does not fit is lost, as datagrams are. */
export function sendPaired(fd: number, bytes: Buffer): void {
  libc.sendto(fd, ffi.getRawPointer(bytes), BigInt(bytes.length), now, 0n, 0)
}

/** Sends a packet to where it says itself. */
export function sendRaw(fd: number, family: Family, packet: Buffer, to: Uint8Array): void {
  const name = nameOf(family, to, 0)
  libc.sendto(fd, ffi.getRawPointer(packet), BigInt(packet.length), now, ffi.getRawPointer(name), name.length)
}

/** What `receive` fills. */
export interface Receiver {
  /** Takes the next datagram; how long it is, -1 when there is none now. */
  receive(fd: number): number
  /** Writes address and port of an end of the last one at this place. False: it is not known. */
  writeEnd(which: 'source' | 'destination', into: Buffer, at: number): boolean
}

const headerBytes = 56

/** Receives into `into`, which the caller keeps, from `offset` on. Source: recvmsg(2), cmsg(3), struct msghdr on 64 bits. */
export function createReceiver(family: Family, into: Buffer, offset: number): Receiver {
  const name = Buffer.alloc(nameBytes[6])
  const control = Buffer.alloc(64)
  // With its only vector behind it. All that it points to is used below as well: what nobody uses would be collected, and freed.
  const header = Buffer.alloc(headerBytes + 16)
  header.writeBigUInt64LE(ffi.getRawPointer(into) + BigInt(offset), headerBytes)
  header.writeBigUInt64LE(BigInt(into.length - offset), headerBytes + 8)
  header.writeBigUInt64LE(ffi.getRawPointer(name), 0)
  header.writeBigUInt64LE(ffi.getRawPointer(header) + BigInt(headerBytes), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(ffi.getRawPointer(control), 32)
  const [nameLengthAt, controlLengthAt, controlDataAt] = [8, 40, 16]
  const headerAt = ffi.getRawPointer(header)
  const [size, address] = [addressBytes[family], addressAt[family]]
  return {
    receive(fd) {
      header.writeUInt32LE(name.length, nameLengthAt)
      header.writeBigUInt64LE(BigInt(control.length), controlLengthAt)
      return Number(libc.recvmsg(fd, headerAt, now))
    },
    writeEnd(which, target, at) {
      // A socket that hears nothing of destinations has no control message.
      if (which === 'destination' && header.readUInt32LE(controlLengthAt) < controlDataAt + nameBytes[family])
        return false
      const [from, start] = which === 'source' ? [name, 0] : [control, controlDataAt]
      from.copy(target, at, start + address, start + address + size)
      from.copy(target, at + size, start + 2, start + 4)
      return true
    },
  }
}
