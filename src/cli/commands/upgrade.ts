import { parseDurationMs } from '../../base/duration.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { findProxy } from '../client/find-proxy.ts'
import type { PlaceOptions } from '../client/place.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

interface Upgraded {
  readonly before: number
  readonly after: number
  readonly tookMs: number
  /** Absent: there is one process. */
  readonly workers?: readonly { readonly before: number; readonly after: number }[]
}

/** Flags of `weft upgrade`. */
export interface UpgradeFlags extends PlaceOptions {
  readonly namespace?: string
  readonly finish?: string
}

/** Replaces the sidecar processes of workloads, one after the other; stops at the first that does not come up. */
export function upgrade(proxies: readonly string[], flags: UpgradeFlags, terminal: Terminal): Promise<number> {
  const finishMs = flags.finish === undefined ? undefined : parseDurationMs(flags.finish)
  if (flags.finish !== undefined && (finishMs === undefined || finishMs > 86_400_000))
    return Promise.resolve(
      misused(
        terminal,
        'upgrade',
        `--finish is a duration up to 24h, such as 90s, not ${JSON.stringify(flags.finish)}`,
      ),
    )
  return withClient(flags, terminal, async (client) => {
    for (const name of proxies) {
      const found = await findProxy(client, name, flags.namespace)
      if ('failed' in found) return failedAnswer(terminal, found.failed)
      if ('sentence' in found) return fail(terminal, found.sentence)
      const path = `/v1/proxies/${found.proxy.split('/').map(encodeURIComponent).join('/')}/upgrade`
      const answer = await client.post<Upgraded>(path, JSON.stringify(finishMs === undefined ? {} : { finishMs }))
      if (answer.kind === 'failed') return failedAnswer(terminal, answer)
      terminal.out(`${found.proxy}: ${upgradeSentence(answer.value)}\n`)
    }
    return status.done
  })
}

function upgradeSentence({ before, after, tookMs, workers }: Upgraded): string {
  if (workers === undefined)
    return `process ${after} serves after ${tookMs} ms; ${before} finishes what it has and ends`
  const old = workers.map((one) => one.before).join(', ')
  const next = workers.map((one) => one.after).join(', ')
  return `processes ${next} serve after ${tookMs} ms; ${old} finish what they have and end`
}
