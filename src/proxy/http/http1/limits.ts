/** What a message may cost, in bytes or counts. Stricter than some peers on purpose; each has a test that goes one over. */
export const limits = {
  /** Request or status line plus all fields. */
  headBytes: 61_440,
  requestLineBytes: 8192,
  fields: 100,
  /** Chunk size and extensions, without the line end. */
  chunkLineBytes: 4096,
  trailerBytes: 16_384,
  informationalReplies: 10,
  /** Bytes of a pipelined request that wait for the one before. */
  pipelinedBytes: 65_536,
} as const
