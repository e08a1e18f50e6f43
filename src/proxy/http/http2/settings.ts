import { errorCode, firstWindow, maxWindow, setting, type ErrorCode } from './wire.ts'

/** What the peer wants of us. */
export interface PeerSettings {
  readonly tableBytes: number
  /** Streams that we may have open. */
  readonly streams: number
  readonly initialWindow: number
  readonly extendedConnect: boolean
}

/** Before it has said anything. Source: RFC 9113, section 6.5.2. */
export const firstSettings: PeerSettings = {
  tableBytes: 4096,
  streams: Infinity,
  initialWindow: firstWindow,
  extendedConnect: false,
}

/** Why what came is an error of the connection. */
export interface Trouble {
  readonly code: ErrorCode
  readonly cause: string
}

/** The settings after this frame's payload; what is unknown is ignored. */
export function readSettings(
  before: PeerSettings,
  bytes: Buffer,
  from: number,
  to: number,
  client: boolean,
): PeerSettings | Trouble {
  if ((to - from) % 6 !== 0) return { code: errorCode.frameSize, cause: 'SETTINGS of a wrong size' }
  let { tableBytes, streams, initialWindow, extendedConnect } = before
  for (let at = from; at < to; at += 6) {
    const value = bytes.readUInt32BE(at + 2)
    switch (bytes.readUInt16BE(at)) {
      case setting.headerTableSize:
        tableBytes = value
        break
      case setting.enablePush:
        if (value > 1 || (client && value === 1)) return { code: errorCode.protocol, cause: `ENABLE_PUSH ${value}` }
        break
      case setting.maxConcurrentStreams:
        streams = value
        break
      case setting.initialWindowSize:
        if (value > maxWindow) return { code: errorCode.flowControl, cause: 'INITIAL_WINDOW_SIZE over 2^31 - 1' }
        initialWindow = value
        break
      case setting.maxFrameSize:
        if (value < 16_384 || value > 16_777_215) return { code: errorCode.protocol, cause: `MAX_FRAME_SIZE ${value}` }
        break
      case setting.enableConnectProtocol:
        if (value > 1) return { code: errorCode.protocol, cause: `ENABLE_CONNECT_PROTOCOL ${value}` }
        extendedConnect = value === 1
    }
  }
  return { tableBytes, streams, initialWindow, extendedConnect }
}
