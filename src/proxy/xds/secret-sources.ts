import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { connectGrpc, type GrpcTarget } from '../../xds/grpc-client.ts'
import type { AdsNode } from '../../xds/ads-client.ts'
import type { Secret } from './decode-sds.ts'
import { followSecret, type Followed } from './follow-secret.ts'
import { parseSdsSecret } from './sds-secret.ts'

/** Secrets that other servers bring than ADS: SPIRE's agent on its socket, for one. */
export interface SecretSources {
  /** All that are wanted from now on, by the names of `sdsSecret`; others are forgotten. */
  want(keys: ReadonlySet<string>): void
  /** What has come, by the same names. The same object until something changes. */
  readonly secrets: () => ReadonlyMap<string, Secret>
  close(): void
  /** For people, by secret. */
  state(): Readonly<Record<string, ReturnType<Followed['state']>>>
}

/** `targetOf`: where the server behind a cluster is; undefined: there is no such cluster. `changed`: something has come. */
export function createSecretSources(parts: {
  readonly targetOf: (cluster: string) => GrpcTarget | undefined
  readonly node: AdsNode
  readonly changed: () => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}): SecretSources {
  const log = parts.log.named('sds')
  const followed = new Map<string, Followed>()
  let secrets: ReadonlyMap<string, Secret> = new Map()

  function follow(key: string): Followed {
    const { cluster, name } = parseSdsSecret(key) ?? { cluster: '', name: key }
    const target = parts.targetOf(cluster)
    if (target === undefined) return nobody(cluster, name)
    return followSecret({
      ...parts,
      log,
      name,
      connect: () => connectGrpc(target, { clock: parts.clock, log }),
      received(secret) {
        secrets = new Map(secrets).set(key, secret)
        parts.changed()
      },
    })
  }
  function nobody(cluster: string, name: string): Followed {
    const reason = `${cluster} is no cluster of the bootstrap that gRPC can be spoken with`
    log.error('nobody brings a secret', { secret: name, reason })
    return { close() {}, state: () => ({ connected: false, reason }) }
  }

  return {
    want(keys) {
      for (const [key, one] of followed) {
        if (keys.has(key)) continue
        one.close()
        followed.delete(key)
        secrets = new Map([...secrets].filter(([other]) => other !== key))
      }
      for (const key of keys) if (!followed.has(key)) followed.set(key, follow(key))
    },
    secrets: () => secrets,
    close() {
      for (const one of followed.values()) one.close()
    },
    state: () => Object.fromEntries(Array.from(followed, ([key, one]) => [key, one.state()])),
  }
}
