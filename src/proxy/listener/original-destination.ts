import type { Socket } from 'node:net'
import type { Address } from '../../base/address.ts'
import { formatIp } from '../../base/ip-prefix.ts'
import { systemLibrary } from '../../base/system-library.ts'
import { fileDescriptor } from './handles.ts'

/**
 * Where a connection that was redirected to us was going; undefined when it was not redirected, or this system cannot tell.
 * The socket may belong to another network namespace. Source: Linux, netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h.
 */
export function originalDestination(socket: Socket): Address | undefined {
  const fd = fileDescriptor(socket)
  if (fd === undefined || process.platform !== 'linux') return undefined
  reader ??= createReader()
  const v4 = /^(?:::ffff:)?\d+\.\d+\.\d+\.\d+$/.test(socket.localAddress ?? '')
  return v4 ? reader(fd, ipLevel) : reader(fd, ipv6Level)
}

const ipLevel = 0
const ipv6Level = 41
/** SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST alike. */
const originalDestinationOption = 80
/** Of the larger of the two, sockaddr_in6. */
const longestSocketAddress = 28

type Reader = (fd: number, level: number) => Address | undefined
let reader: Reader | undefined

/** Node has no call for this option. */
function createReader(): Reader {
  const ffi = systemLibrary()
  if (ffi === undefined) return () => undefined
  const { functions } = ffi.dlopen(null, {
    getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
  })
  const value = Buffer.alloc(longestSocketAddress)
  const length = Buffer.alloc(4)
  const [valueAt, lengthAt] = [ffi.getRawPointer(value), ffi.getRawPointer(length)]
  const writeLength = littleEndian() ? length.writeUInt32LE.bind(length) : length.writeUInt32BE.bind(length)
  return (fd, level) => {
    writeLength(longestSocketAddress)
    if (functions.getsockopt(fd, level, originalDestinationOption, valueAt, lengthAt) !== 0) return undefined
    const port = value.readUInt16BE(2)
    return { host: formatIp(level === ipLevel ? value.subarray(4, 8) : value.subarray(8, 24)), port }
  }
}

const littleEndian = (): boolean => new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
