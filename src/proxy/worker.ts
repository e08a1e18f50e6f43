import type { Address } from '../base/address.ts'
import { openRow } from '../base/board.ts'
import type { Clock } from '../base/clock.ts'
import type { Watchable } from '../base/watchable.ts'
import { trustBundleSecret } from '../xds/names.ts'
import { createColleagues, type Colleagues } from './colleagues.ts'
import type { ProxyConfig } from './config.ts'
import { dividedConfig } from './divide-limits.ts'
import { mergeClusters } from './merge-clusters.ts'
import type { FromSidecar, ToSidecar, WorkerPart, WorkerPlace } from './sidecar-messages.ts'
import { createSpread, type Spread } from './spread.ts'
import { mergedExposition, type MetricsSnapshot } from './telemetry/merge.ts'
import type { Metrics } from './telemetry/metrics.ts'

/** What a process does because it is one of several that are one proxy. */
export interface Worker extends Pick<Colleagues, 'source'> {
  readonly index: number
  readonly count: number
  /** Every one of them has been ready. */
  readonly allReady: boolean
  /** The configuration with this worker's part of the limits. */
  divided(config: Watchable<ProxyConfig>): Watchable<ProxyConfig>
  hear(message: Extract<ToSidecar, { kind: 'resources' | 'gathered' | 'all-ready' }>): void
  /** Takes its part of the connections from now on; undefined: the kernel alone decides. */
  spread(metrics: Metrics): Spread | undefined
  /** What all workers say together; `own` is what this one knows. */
  together(what: 'config' | 'clusters' | 'stats', own: (part: WorkerPart) => unknown): Promise<unknown>
}

/** What a worker needs of its process. */
export interface WorkerParts {
  readonly tell: (message: FromSidecar) => void
  /** Sends a handle along; `done`: it is not ours any more. */
  readonly pass: (message: FromSidecar, handle: unknown, done: () => void) => void
  readonly clock: Clock
}

/** The descriptor of the board, which the agent lets each worker inherit. */
const boardFd = 4

/** At its place. */
export function createWorker({ index, count, row, allReady: known }: WorkerPlace, parts: WorkerParts): Worker {
  const { tell, pass, clock } = parts
  const colleagues = createColleagues(tell)
  let allReady = known
  let toldTrust = ''
  const give = (address: Address, to: number, handle: unknown, done: () => void): void =>
    pass({ kind: 'give', address, row: to }, handle, done)
  return {
    index,
    count,
    source: colleagues.source,
    get allReady() {
      return allReady
    },
    divided(config) {
      // Whoever holds the stream must know whom to believe.
      config.watch(({ trust }) => {
        const pem = trust.get(trustBundleSecret)
        if (pem === undefined || pem === toldTrust) return
        toldTrust = pem
        tell({ kind: 'trust', pem })
      })
      return dividedConfig(config, { index, count })
    },
    hear(message) {
      if (message.kind === 'all-ready') allReady = true
      else colleagues.hear(message)
    },
    spread: (metrics) =>
      row === undefined ? undefined : createSpread({ worker: index, row: openRow(boardFd, row), give, metrics, clock }),
    async together(what, own) {
      const part = what === 'stats' ? 'snapshot' : what
      const mine = own(part)
      const { parts: others, controlPlane } = await colleagues.gather(part, mine)
      const all = [{ worker: index, json: mine }, ...others].toSorted((a, b) => a.worker - b.worker)
      switch (what) {
        case 'stats':
          return mergedExposition(all.map(({ worker, json }) => ({ worker, snapshot: json as MetricsSnapshot })))
        case 'clusters':
          return mergeClusters(all.map(({ json }) => json))
        case 'config':
          return { controlPlane, workers: all.map(({ worker, json }) => ({ worker, ...(json as object) })) }
      }
    },
  }
}
