/** What one connection may cost. Counts, and bytes where it says so; each has a test that goes one over. */
export interface Http2Limits {
  /** Streams that the peer may have open. */
  readonly streams: number
  /** Bytes of one body that wait here for a slow reader. */
  readonly streamWindowBytes: number
  /** Given back as soon as it is used: what bounds memory are the windows of streams. */
  readonly connectionWindowBytes: number
  /** Streams that ended in a reset by the peer, or in one that it provoked: so many at once, and so many a second. */
  readonly resets: Rate
}

/** A bucket of tokens. */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/** For anybody. */
export const edgeLimits: Http2Limits = {
  streams: 100,
  streamWindowBytes: 65_536,
  connectionWindowBytes: 1_048_576,
  resets: { burst: 200, perSecond: 33 },
}

/** For peers that have proven an identity of the mesh: one connection carries the calls of a whole program. */
export const meshLimits: Http2Limits = {
  streams: 1000,
  streamWindowBytes: 1_048_576,
  connectionWindowBytes: 16_777_216,
  resets: { burst: 10_000, perSecond: 1000 },
}

/** The same for every peer. */
export const limits = {
  /** Decoded octets of one header list, each field counted as name + value + 32. */
  listBytes: 61_440,
  fields: 100,
  /** A header list as it comes, in any number of frames. */
  blockBytes: 65_536,
  pathBytes: 8192,
  informationalReplies: 10,
  /** What has been written and the peer has not read: more, and no body goes on. */
  unreadBytes: 262_144,
  /** More, and the connection is cut: only answers to floods grow so far. */
  floodBytes: 4_194_304,
  /** Frames that carry nothing (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, unknown ones, empty ones): see `chatterCost`. */
  chatter: { burst: 2000, perSecond: 200 },
} as const

/** What a frame takes from the chatter bucket, and what useful work gives back to it. */
export const chatterCost = { frame: 1, settings: 5, continuation: 5, empty: 20 } as const
export const chatterGain = { stream: 4, received: 2, sent: 10 } as const
