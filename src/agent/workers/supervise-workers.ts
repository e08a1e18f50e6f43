import type { AdsSource } from '../../xds/ads-client.ts'
import { superviseSidecar, type Sidecar, type WorkerSidecar } from '../sidecar-process.ts'
import type { SocketDesk } from '../socket-desk.ts'
import type { Upgraded } from '../take-over.ts'
import { createConfigRelay } from './config-relay.ts'
import { createTeam } from './team.ts'

/** What a team of workers is started with. */
export type WorkersParts = Omit<
  Parameters<typeof superviseSidecar>[0],
  'colleague' | 'desk' | 'inherited' | 'lastFigures'
> & {
  /** At least 2. */
  readonly count: number
  readonly desk?: Pick<SocketDesk, 'seat'>
  /** The one stream of configuration for all. */
  readonly source: AdsSource
  /** Of certificates that the control plane may be known by. */
  readonly trusted?: (pem: string) => void
}

/** The wait before the stream shows a renewed certificate is at most this, ms: many proxies may renew together. */
const renewalSpreadMs = 30_000

/**
 * Several sidecar processes that are one proxy: they accept on the same sockets, hold the same configuration, and answer as one. Each is
 * started again for itself when it ends, while the others serve.
 */
export function superviseWorkers(parts: WorkersParts): Sidecar {
  const { count, source, clock, random, log } = parts
  const relay = createConfigRelay(source, { clock, log: log.named('xds') })
  const team = createTeam({ count, relay, workers: () => workers, trusted: parts.trusted ?? (() => {}) })
  const { desk, ...rest } = parts
  const workers: readonly WorkerSidecar[] = Array.from({ length: count }, (_, index) =>
    superviseSidecar({
      ...rest,
      ...(desk === undefined ? {} : { desk: desk.seat() }),
      colleague: (channel) => team.join(index, channel),
      inherited: team.boardFd,
      lastFigures: () => team.figuresOf(index),
    }),
  )
  const ready = Promise.all(workers.map((worker) => worker.ready)).then((all) => {
    const failure = all.find((one) => 'failed' in one)
    if (failure !== undefined) return failure
    team.allReady()
    return { up: true } as const
  })
  const each = (act: (worker: Sidecar) => void): void => workers.forEach(act)
  return {
    ready,
    setIdentity(identity) {
      each((worker) => worker.setIdentity(identity))
      clock.after(random.below(renewalSpreadMs), () => relay.renew(), { background: true })
    },
    setProgram: (pid) => each((worker) => worker.setProgram(pid)),
    async ask(question, timeoutMs) {
      for (const worker of workers) if (worker.isServing) return worker.ask(question, timeoutMs)
      return { failed: 'the sidecar is not running' }
    },
    async upgrade(finishMs) {
      const done: Upgraded[] = []
      for (const worker of workers) {
        const result = await worker.upgrade(finishMs)
        if ('failed' in result)
          return {
            failed: done.length === 0 ? result.failed : `${done.length} of ${count} workers are new; ${result.failed}`,
          }
        done.push(result)
      }
      const [first] = done
      return {
        before: first?.before ?? 0,
        after: first?.after ?? 0,
        tookMs: done.reduce((sum, { tookMs }) => sum + tookMs, 0),
        workers: done.map(({ before, after }) => ({ before, after })),
      }
    },
    async drainInbound(deadlineMs) {
      await Promise.all(workers.map((worker) => worker.drainInbound(deadlineMs)))
    },
    async drain(deadlineMs) {
      await Promise.all(workers.map((worker) => worker.drain(deadlineMs)))
      team.close()
    },
  }
}
