import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'

/** One body for several consumers, of whom only the first is waited for. */
export interface Tee {
  /** At its own pace, as if nobody else listened. */
  readonly main: Body
  /** The same bytes at most `backlogBytes` behind `main`; who falls further back is failed. To be made before `main` starts. */
  copy(): Body
  /** Nothing more will come: copies that have not got the end are failed with this. Harmless after the end. */
  abandon(fault: Fault): void
}

/** What a copy hears of the original. */
interface Follower {
  data(chunk: Buffer): void
  end(trailers: Headers | undefined): void
  fail(fault: Fault): void
}

/** `source` is started when `main` is. */
export function createTee(source: Body, backlogBytes: number): Tee {
  const followers: Follower[] = []
  const failAll = (fault: Fault): void => {
    for (const one of followers.splice(0)) one.fail(fault)
  }
  return {
    main: {
      length: source.length,
      start(sink) {
        source.start({
          data(chunk) {
            for (const one of followers) one.data(chunk)
            return sink.data(chunk)
          },
          end(trailers) {
            for (const one of followers.splice(0)) one.end(trailers)
            sink.end(trailers)
          },
          fail(fault) {
            failAll(fault)
            sink.fail(fault)
          },
        })
      },
      resume: () => source.resume(),
      cancel(fault) {
        failAll(fault)
        source.cancel(fault)
      },
    },
    copy() {
      const { body, follower } = createFollower(source.length, backlogBytes)
      followers.push(follower)
      return body
    },
    abandon: failAll,
  }
}

const tooSlow: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'a mirror took its copy of the body too slowly',
}

function createFollower(length: number | undefined, backlogBytes: number): { body: Body; follower: Follower } {
  let queue: Buffer[] = []
  let queuedBytes = 0
  let sink: Sink | undefined
  let paused = false
  let pumping = false
  let ending: { readonly trailers: Headers | undefined } | undefined
  let broken: Fault | undefined
  let over = false

  const pump = (): void => {
    if (pumping || sink === undefined) return
    pumping = true
    while (!over && !paused) {
      const chunk = queue.shift()
      if (chunk === undefined) break
      queuedBytes -= chunk.length
      paused = !sink.data(chunk)
    }
    pumping = false
    if (over) return
    if (broken !== undefined) {
      over = true
      sink.fail(broken)
    } else if (ending !== undefined && queue.length === 0 && !paused) {
      over = true
      sink.end(ending.trailers)
    }
  }
  const fail = (fault: Fault): void => {
    if (over || broken !== undefined) return
    broken = fault
    queue = []
    pump()
  }
  return {
    follower: {
      data(chunk) {
        if (over || broken !== undefined) return
        queuedBytes += chunk.length
        if (queuedBytes > backlogBytes && (sink === undefined || paused)) return fail(tooSlow)
        queue.push(chunk)
        pump()
        // What waits is copied: a small chunk would keep the whole read buffer alive.
        if (queue.at(-1) === chunk) queue[queue.length - 1] = Buffer.from(chunk)
      },
      end(trailers) {
        ending = { trailers }
        pump()
      },
      fail,
    },
    body: {
      length,
      start(to) {
        sink = to
        pump()
      },
      resume() {
        paused = false
        pump()
      },
      cancel() {
        over = true
        queue = []
      },
    },
  }
}
