import type { Body } from '../http/body.ts'

/** A body that can be sent once more when all of it has gone by. */
export interface Remembered {
  readonly body: Body
  /** The same bytes again; undefined: not all has come yet, or it was too much, or trailers came with it. */
  again(): Buffer | undefined
}

/** Keeps what passes, up to `limitBytes`. */
export function remember(source: Body, limitBytes: number): Remembered {
  let kept: Buffer[] | undefined = []
  let bytes = 0
  let complete = false
  return {
    body: {
      length: source.length,
      start(sink) {
        source.start({
          data(chunk) {
            bytes += chunk.length
            if (bytes > limitBytes) kept = undefined
            else kept?.push(Buffer.from(chunk))
            return sink.data(chunk)
          },
          end(trailers) {
            complete = trailers === undefined
            sink.end(trailers)
          },
          fail: (fault) => sink.fail(fault),
        })
      },
      resume: () => source.resume(),
      cancel: (fault) => source.cancel(fault),
    },
    again: () => (complete && kept !== undefined ? Buffer.concat(kept) : undefined),
  }
}
