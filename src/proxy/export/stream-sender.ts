import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { within } from '../../base/within.ts'
import { askCluster } from '../ask-cluster.ts'
import type { Cluster, Collector } from '../config.ts'
import type { Sender } from './exporters.ts'
import { faultSentence, type Fault } from '../http/fault.ts'
import type { Body, Sink } from '../http/body.ts'
import { backoffMs } from '../recovery/backoff.ts'
import { exportHeaders, type ExportParts } from './unary-sender.ts'
import { frameExport } from '../xds/frame-export.ts'

/** How a stream is kept. */
export interface StreamPlan {
  readonly collector: Collector
  /** A batch as a message; `first`: on its stream. */
  readonly encode: (batch: readonly Buffer[], first: boolean) => Buffer
  /** Waits between attempts to open one, ms. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  /** A batch is given up after so many attempts in vain. Infinity: it waits. */
  readonly mostAttempts: number
}

/** A stream that answers nothing for so long after its first message has been taken, ms. */
const takenMs = 200
/** One that lived so long was a good one: the next is opened at once. */
const goodLifeMs = 1000
/** A server may take so long with its last word, ms. */
const leavingMs = 5000
/** More than the server of a log has any reason to say. */
const limitBytes = 4096

/**
 * One stream of gRPC for all batches; a new one when it breaks, after a while, and when the configuration says something else of its cluster.
 * What was on its way when it broke is lost.
 */
export function createStreamSender(
  { collector, encode, backoff, mostAttempts }: StreamPlan,
  parts: ExportParts & { readonly random: Random },
): Sender {
  const { clock } = parts.ask
  const closing = new AbortController()
  /** All that are not over: those that were ended wait for the server's last word. */
  const streams = new Set<OpenStream>()
  let stream: OpenStream | undefined
  let failures = 0

  const begin = async (): Promise<OpenStream | string> => {
    if (failures > 0) {
      const waitMs = backoffMs(failures, backoff.baseMs, backoff.maxMs, parts.random)
      await clock.sleep(waitMs, closing.signal).catch(() => {})
      if (closing.signal.aborted) return 'the proxy ends'
    }
    const beganMs = clock.nowMs()
    const next = openStream(collector, parts)
    streams.add(next)
    void next.over.then(() => {
      streams.delete(next)
      if (stream === next) stream = undefined
      failures = clock.nowMs() - beganMs >= goodLifeMs || next.left ? 0 : failures + 1
    })
    const problem = await next.opened
    if (problem !== undefined) return problem
    return (stream = next)
  }
  /** Where it leads may not be a place to go to any more. */
  const leaveOld = (): void => {
    if (stream === undefined || stream.to === clusterOf(collector, parts)) return
    const old = stream
    stream = undefined
    old.end()
    void within(clock, leavingMs, old.over).then(() => old.stop(given))
  }
  const reach = async (): Promise<OpenStream | string> => {
    leaveOld()
    for (let attempts = 1; ; attempts++) {
      const one = stream ?? (await begin())
      if (typeof one === 'object' || attempts >= mostAttempts || closing.signal.aborted) return one
    }
  }
  return {
    async send(batch) {
      const to = await reach()
      if (typeof to === 'string') return to
      const first = !to.used
      to.used = true
      await to.write(frameExport(encode(batch, first)))
      if (first && to.ended === undefined) await within(clock, takenMs, to.over)
      return to.ended
    },
    async finish() {
      const last = stream
      stream = undefined
      last?.end()
      await last?.over
    },
    close() {
      closing.abort()
      for (const one of streams) one.stop(given)
    },
  }
}

const given: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'the stream is not wanted any more',
}

const clusterOf = ({ cluster }: Collector, { current }: ExportParts): Cluster | undefined =>
  current().config.clusters.get(cluster)

interface OpenStream {
  /** As it was configured when it was opened. */
  readonly to: Cluster | undefined
  /** Undefined: it is there. A sentence: why it is not. */
  readonly opened: Promise<string | undefined>
  /** Why it has ended. */
  readonly over: Promise<string>
  readonly ended: string | undefined
  used: boolean
  /** We have ended it. */
  left: boolean
  /** Resolves when there is room for more, or it has ended. */
  write(bytes: Buffer): Promise<void>
  /** Nothing more is said; the server has the last word. */
  end(): void
  stop(fault: Fault): void
}

function openStream(collector: Collector, parts: ExportParts): OpenStream {
  const { ask, current } = parts
  const { cluster, path, authority, timeoutMs } = collector
  const to = clusterOf(collector, parts)
  const opened = Promise.withResolvers<string | undefined>()
  let sink: Sink | undefined
  let room = Promise.withResolvers<void>()
  let stop = (_fault: Fault): void => {}
  const body: Body = {
    length: undefined,
    start(to) {
      sink = to
      opened.resolve(undefined)
    },
    resume: () => room.resolve(),
    cancel: () => void (sink = undefined),
  }
  const head = { method: 'POST', path, authority, headers: exportHeaders(collector, 'application/grpc'), limitBytes }
  const asking = askCluster({ cluster, head, body, timeoutMs: 0, onStop: (how) => (stop = how) }, current(), ask)
  const late = untilLate(ask.clock, timeoutMs, () => stop(tooLate(timeoutMs)))
  const stream: OpenStream & { ended: string | undefined } = {
    to,
    opened: opened.promise,
    over: asking.then(sentenceOf, String).then((why) => {
      sink = undefined
      stream.ended = why
      opened.resolve(why)
      room.resolve()
      return why
    }),
    ended: undefined,
    used: false,
    left: false,
    async write(bytes) {
      if (sink === undefined || sink.data(bytes)) return
      room = Promise.withResolvers<void>()
      if (stream.ended === undefined) await room.promise
    },
    end() {
      stream.left = true
      sink?.end()
    },
    stop: (fault) => stop(fault),
  }
  void opened.promise.then(() => late.cancel())
  return stream
}

const untilLate = (clock: Clock, timeoutMs: number, fire: () => void): { cancel(): void } =>
  timeoutMs > 0 ? clock.after(timeoutMs, fire, { background: true }) : { cancel() {} }

const tooLate = (timeoutMs: number): Fault => ({
  kind: 'timeout',
  side: 'upstream',
  retry: 'if-idempotent',
  what: 'request',
  timeoutMs,
})

function sentenceOf(answer: Awaited<ReturnType<typeof askCluster>>): string {
  if (typeof answer === 'string') return answer
  if ('kind' in answer) return faultSentence(answer)
  return `the stream has ended with status ${answer.status}, grpc-status ${answer.grpcStatus ?? 'none'}`
}
