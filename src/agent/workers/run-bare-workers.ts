import { formatAddress, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log, LogLevel } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { AdsSource } from '../../xds/ads-client.ts'
import { ownSidecarScript } from '../sidecar-process.ts'
import { createSocketDesk, type DeskState } from '../socket-desk.ts'
import { bindSocket } from '../sockets.ts'
import { superviseWorkers } from './supervise-workers.ts'

/** What a bare proxy of several processes is made of. */
export interface BareWorkersParts {
  /** At least 2. */
  readonly count: number
  /** As it was read: each worker decodes it for itself. */
  readonly bootstrap: unknown
  /** Undefined: no admin port. */
  readonly admin: Address | undefined
  /** Undefined: everything stands in the bootstrap. */
  readonly source: AdsSource | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly logLevel: LogLevel
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The workers of a bare proxy. */
export interface BareWorkers {
  /** Every listener of the first whole configuration is open; or why that cannot be: nothing is left running then. */
  readonly started: Promise<
    { readonly listeners: readonly Address[]; readonly admin: Address | undefined } | { readonly failed: string }
  >
  /** Lets calls in flight finish for at most `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
}

/** Nobody says anything. */
const noSource: AdsSource = () => ({
  subscribe() {},
  renew() {},
  close() {},
  state: () => ({ connected: false, reason: 'everything stands in the bootstrap', refused: [] }),
})

/** Starts at once: this process binds the sockets, the workers accept on them. */
export function startBareWorkers(parts: BareWorkersParts): BareWorkers {
  const { count, bootstrap, env, logLevel, clock, random, log } = parts
  const admin = parts.admin && bindSocket(parts.admin, 'admin port')
  if (admin !== undefined && 'refused' in admin)
    return {
      started: Promise.resolve({ failed: `cannot listen on the ${admin.refused}` }),
      drain: () => Promise.resolve(),
    }
  const refused = Promise.withResolvers<{ readonly failed: string }>()
  let state: DeskState = { open: [], missing: [] }
  const desk = createSocketDesk({
    clock,
    changed(next) {
      state = next
      const [first] = next.missing
      // What comes later by ADS and cannot be opened ends nothing, and is tried again.
      if (first !== undefined) refused.resolve({ failed: `cannot listen on ${first.reason}` })
    },
  })
  const workers = superviseWorkers({
    count,
    script: ownSidecarScript(),
    flags: [],
    sockets: admin === undefined ? [] : [admin],
    desk,
    source: parts.source ?? noSource,
    start: () => ({
      kind: 'start-bare',
      bootstrap,
      env,
      ...(admin === undefined ? {} : { adminAddress: admin.address }),
      socketsOnDemand: true,
      logLevel,
    }),
    env,
    ownOutput: true,
    clock,
    random,
    log,
  })
  const drain = async (deadlineMs: number): Promise<void> => {
    await workers.drain(deadlineMs)
    desk.close()
    admin?.close()
  }
  const start = async (): ReturnType<() => BareWorkers['started']> => {
    const up = await Promise.race([workers.ready, refused.promise])
    if ('failed' in up) {
      await drain(0)
      return up
    }
    log.debug('all workers serve', { on: state.open.map(formatAddress).join(', ') })
    return { listeners: state.open, admin: admin?.address }
  }
  return { started: start(), drain }
}
