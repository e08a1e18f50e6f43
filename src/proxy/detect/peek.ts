import type { Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'

/** Where a look at the first bytes ended. */
export type Peeked<T> =
  | { readonly kind: 'seen'; readonly seen: T }
  /** Nothing, or not enough, came in time. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'closed' }

/**
 * Looks at what a connection says first, without taking it: `look` gets all bytes so far until it gives something but "more". The
 * bytes are put back, but for as many as `takenOf` says; the socket is left paused and without listeners of ours (but one for errors).
 * `timeoutMs` 0: no limit.
 */
export function peek<T>(
  socket: Socket,
  look: (bytes: Buffer) => T | 'more',
  timeoutMs: number,
  clock: Clock,
  takenOf?: (seen: T) => number,
): Promise<Peeked<T>> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0)
    const done = (result: Peeked<T>): void => {
      timer?.cancel()
      socket.off('data', onData).off('end', onGone).off('close', onGone)
      socket.pause()
      const taken = result.kind === 'seen' ? (takenOf?.(result.seen) ?? 0) : 0
      if (bytes.length > taken && !socket.destroyed && !socket.readableEnded) socket.unshift(bytes.subarray(taken))
      resolve(result)
    }
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const seen = look(bytes)
      if (seen !== 'more') done({ kind: 'seen', seen })
    }
    const onGone = (): void => done({ kind: 'closed' })
    const timer =
      timeoutMs > 0 ? clock.after(timeoutMs, () => done({ kind: 'silent' }), { background: true }) : undefined
    socket.on('error', ignore)
    if (socket.readableEnded) return done({ kind: 'closed' })
    socket.on('data', onData).on('end', onGone).on('close', onGone)
    socket.resume()
  })
}

const ignore = (): void => {}
