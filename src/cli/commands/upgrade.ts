import { parseDurationMs } from '../../base/duration.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { findProxy } from '../client/find-proxy.ts'
import type { PlaceOptions } from '../client/place.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

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
      const answer = await client.post<{ before: number; after: number; tookMs: number }>(
        path,
        JSON.stringify(finishMs === undefined ? {} : { finishMs }),
      )
      if (answer.kind === 'failed') return failedAnswer(terminal, answer)
      const { before, after, tookMs } = answer.value
      terminal.out(
        `${found.proxy}: process ${after} serves after ${tookMs} ms; ${before} finishes what it has and ends\n`,
      )
    }
    return status.done
  })
}
