import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'

/** A request body that can be sent again while little of it has been sent. */
export interface Replay {
  /** The body for the next attempt. Takes the place of the one before, which hears nothing more. */
  attempt(): Body
  /** False once more than the limit has been sent, or the client broke off. */
  readonly possible: boolean
  /** No further attempt: what the last one cancels is cancelled for good, and what is kept is let go when it has been sent. */
  settle(): void
}

/** The consumer of the present attempt. */
interface Attempt {
  /** Has all that is kept, and waits for more. */
  readonly caughtUp: boolean
  take(chunk: Buffer): boolean
  pump(): void
}

/**
 * Keeps up to `limitBytes` of `source` as it passes by. A body whose length is over the limit is never copied, and can be sent
 * again only while none of it was asked for.
 */
export function createReplay(source: Body, limitBytes: number): Replay {
  const tooLong = source.length !== undefined && source.length > limitBytes
  let kept: Buffer[] = []
  let keptBytes = 0
  let started = false
  let possible = true
  let settled = false
  let ending: { trailers: Headers | undefined } | undefined
  let broken: Fault | undefined
  let cancelled: Fault | undefined
  let current: Attempt | undefined
  /** The source waits for `resume`. */
  let sourcePaused = false

  const intake: Sink = {
    data(chunk) {
      const direct = current !== undefined && current.caughtUp ? current : undefined
      keptBytes += chunk.length
      if (tooLong || keptBytes > limitBytes) possible = false
      // What the present attempt has not taken is kept in any case: it is on its way to it.
      if (direct === undefined || (possible && !settled)) kept.push(Buffer.from(chunk))
      else kept = []
      const flowing = direct !== undefined && direct.take(chunk)
      sourcePaused = !flowing
      return flowing
    },
    end(trailers) {
      ending = { trailers }
      current?.pump()
    },
    fail(fault) {
      broken = fault
      possible = false
      current?.pump()
    },
  }

  function attempt(): Body {
    let sink: Sink | undefined
    let next = 0
    let paused = false
    let pumping = false
    const self: Attempt = {
      get caughtUp() {
        return sink !== undefined && next >= kept.length
      },
      take(chunk) {
        next = kept.length
        paused = sink?.data(chunk) === false
        return !paused
      },
      pump() {
        if (pumping) return
        pumping = true
        while (sink !== undefined && !paused && next < kept.length) {
          const chunk = kept[next++]
          if (chunk !== undefined) paused = sink.data(chunk) === false
        }
        pumping = false
        if (sink === undefined || paused || next < kept.length) return
        finish()
      },
    }
    const finish = (): void => {
      const to = sink
      if (to === undefined) return
      if (broken !== undefined || ending !== undefined) {
        sink = undefined
        if (broken !== undefined) to.fail(broken)
        else to.end(ending?.trailers)
      } else if (!started) {
        started = true
        source.start(intake)
      } else if (sourcePaused) {
        sourcePaused = false
        source.resume()
      }
    }
    current = self
    return {
      length: source.length,
      start(to) {
        if (current !== self) return
        sink = to
        self.pump()
      },
      resume() {
        paused = false
        if (current === self) self.pump()
      },
      cancel(fault) {
        if (current !== self) return
        sink = undefined
        current = undefined
        cancelled = fault
        if (settled) source.cancel(fault)
      },
    }
  }

  return {
    attempt,
    get possible() {
      return possible && !(tooLong && started)
    },
    settle() {
      settled = true
      if (current === undefined && cancelled !== undefined && ending === undefined) source.cancel(cancelled)
    },
  }
}
