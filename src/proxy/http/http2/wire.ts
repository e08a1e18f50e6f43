/** Source: RFC 9113, section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

/** Each is a bit; `ack` of SETTINGS and PING is that of `endStream`. */
export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

/** Source: RFC 9113, section 7. */
export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const
export type ErrorCode = (typeof errorCode)[keyof typeof errorCode]

const errorNames: readonly string[] = `NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT
  STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM
  INADEQUATE_SECURITY HTTP_1_1_REQUIRED`.split(/\s+/)

/** As the RFC writes it. */
export const errorName = (code: number): string => errorNames[code] ?? `error ${code}`

/** Source: RFC 9113, section 6.5.2; RFC 8441, section 3. */
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

/** What a client says first. Source: RFC 9113, section 3.4. */
export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Octets of a frame's head. */
export const headBytes = 9
/** The largest payload, which we neither raise nor exceed. */
export const maxFrameBytes = 16_384
/** The largest window. */
export const maxWindow = 0x7fff_ffff
/** Windows before SETTINGS. */
export const firstWindow = 65_535
