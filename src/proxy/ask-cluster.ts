import { select } from './balance/select.ts'
import { askOnce, type Answer, type AskHead } from './health/ask-once.ts'
import type { Body } from './http/body.ts'
import type { Fault } from './http/fault.ts'
import type { World } from './along-route.ts'
import type { Shared } from './shared.ts'

/** A question to one of a cluster's endpoints. */
export interface ClusterQuestion {
  readonly cluster: string
  readonly head: AskHead
  readonly body: Buffer | Body
  /** 0: it may last. */
  readonly timeoutMs: number
  /** Hands out what breaks it off. */
  readonly onStop?: (stop: (fault: Fault) => void) => void
}

/** A call of our own through this proxy's pools, to whichever endpoint the cluster's balancing chooses; a sentence: there is no such cluster. */
export async function askCluster(
  { cluster: name, head, body, timeoutMs, onStop }: ClusterQuestion,
  { config, balancerOf }: World,
  { upstream, wheel, clock }: Pick<Shared, 'upstream' | 'wheel' | 'clock'>,
): Promise<Answer | Fault | string> {
  const cluster = config.clusters.get(name)
  if (cluster === undefined) return `there is no cluster ${name}`
  const send = select({
    cluster: name,
    balancer: balancerOf(cluster),
    send: (one, { endpoint }) => upstream.send(cluster, endpoint, one),
  })
  let stop: ((fault: Fault) => void) | undefined
  const late =
    timeoutMs > 0
      ? wheel.after(timeoutMs, () =>
          stop?.({ kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs }),
        )
      : undefined
  onStop?.((fault) => stop?.(fault))
  const answer = await askOnce(head, body, { send, nowMs: () => clock.nowMs(), onStop: (heard) => (stop = heard) })
  late?.cancel()
  stop = undefined
  return answer
}
