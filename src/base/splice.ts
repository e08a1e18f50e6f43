import { systemLibrary } from './system-library.ts'

/** Hands bytes from one TCP connection to another without Node: what the kernel holds it passes on itself. */
export interface Splice {
  /** Sends as much of it as the kernel takes at once; how many bytes. */
  send(to: number, bytes: Buffer): number
  /** Passes on what has arrived, at most `most` bytes, as far as the other side takes it. */
  move(from: number, to: number, most: number): Moved
  /** What `move` left, in as many calls as it takes, before anything else is moved; how many bytes. */
  read(into: Buffer): number
}

/** What one call of `move` did. */
export interface Moved {
  /** Bytes that are no longer at `from`. */
  readonly taken: number
  /** Of these, the last ones, that `to` would not take now: they are to be read. */
  readonly left: number
  /** `from` was cut: its end is none. */
  readonly broken: boolean
}

/** As large as anybody may make a pipe. Source: Linux, pipe(7), pipe-max-size. */
const mostPipeBytes = 1_048_576
const setPipeSize = 1031
/** O_CLOEXEC and O_NONBLOCK, alike on x64 and arm64. */
const pipeFlags = 0x8_0800
/** MSG_DONTWAIT and MSG_NOSIGNAL. */
const sendFlags = 0x4040
/** SPLICE_F_NONBLOCK. */
const spliceFlags = 2
const [tcpLevel, tcpInfo, closedState] = [6, 11, 7]
/** EAGAIN: nothing has arrived, or nothing is taken, just now. */
const notNow = 11
const nowhere = 0n

/**
 * Undefined where this system cannot; asked once, at the first connection that carries much. All connections share its pipe, two
 * descriptors: it is empty between calls. Source: Linux, splice(2).
 */
export function openSplice(): Splice | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return create()
  } catch {
    // A library without one of these, or a program that may open no more files.
    return undefined
  }
}

function create(): Splice | undefined {
  const ffi = systemLibrary()
  if (ffi === undefined) return undefined
  const { functions: libc } = ffi.dlopen(null, {
    pipe2: { arguments: ['pointer', 'i32'], return: 'i32' },
    fcntl: { arguments: ['i32', 'i32', 'i64'], return: 'i32' },
    // Of what they return 32 bits are enough, and these need no object.
    send: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i32' },
    splice: { arguments: ['i32', 'pointer', 'i32', 'pointer', 'u64', 'u32'], return: 'i32' },
    read: { arguments: ['i32', 'pointer', 'u64'], return: 'i32' },
    getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  const ends = new Int32Array(2)
  if (libc.pipe2(ffi.getRawPointer(ends), pipeFlags) !== 0) return undefined
  const [out = -1, into = -1] = ends
  libc.fcntl(into, setPipeSize, BigInt(mostPipeBytes))
  const errnoAt = libc.__errno_location()

  const info = Buffer.alloc(8)
  const infoLength = new Uint32Array(1)
  const [infoAt, infoLengthAt] = [ffi.getRawPointer(info), ffi.getRawPointer(infoLength)]
  /** After a call that failed. A reset is told once: whoever reads next would take it for a clean end. */
  const isBroken = (fd: number): boolean => {
    if (ffi.getInt32(errnoAt, 0) === notNow) return false
    infoLength[0] = info.length
    return libc.getsockopt(fd, tcpLevel, tcpInfo, infoAt, infoLengthAt) !== 0 || info[0] === closedState
  }
  return {
    send: (to, bytes) => Math.max(0, libc.send(to, ffi.getRawPointer(bytes), BigInt(bytes.length), sendFlags)),
    move(from, to, most) {
      const wanted = BigInt(Math.min(most, mostPipeBytes))
      const taken = libc.splice(from, nowhere, into, nowhere, wanted, spliceFlags)
      if (taken <= 0) return { taken: 0, left: 0, broken: taken < 0 && isBroken(from) }
      let left = taken
      while (left > 0) {
        const given = libc.splice(out, nowhere, to, nowhere, BigInt(left), spliceFlags)
        if (given <= 0) break
        left -= given
      }
      return { taken, left, broken: false }
    },
    read: (into) => libc.read(out, ffi.getRawPointer(into), BigInt(into.length)),
  }
}
