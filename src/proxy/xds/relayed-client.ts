import { fromBinary } from '@bufbuild/protobuf'
import type { AdsClient, AdsReceiver } from '../../xds/ads-client.ts'
import { DeltaDiscoveryResponseSchema } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { XdsType } from '../../xds/type-urls.ts'

/** Tells whoever holds the stream: the whole set of names that are wanted, and what came of what was handed on. */
export type TellRelay = (
  message:
    | { readonly kind: 'subscribe'; readonly type: XdsType; readonly names: readonly string[] }
    | {
        readonly kind: 'received'
        readonly id: number
        readonly problems: readonly string[]
        readonly refused: readonly string[]
      },
) => void

/** Configuration that somebody else's stream brings. */
export interface RelayedClient extends AdsClient {
  /** The bytes of a DeltaDiscoveryResponse. */
  hear(message: { readonly id: number; readonly type: XdsType; readonly response: Uint8Array }): void
}

/** Nothing is asked for yet. */
export function createRelayedClient({ receive }: AdsReceiver, tell: TellRelay): RelayedClient {
  const asked = new Map<XdsType, ReadonlySet<string>>()
  const refusals = new Map<XdsType, string>()
  let heard = false
  return {
    subscribe(type, names) {
      const before = asked.get(type) ?? new Set<string>()
      if (before.size === names.size && [...names].every((name) => before.has(name))) return
      asked.set(type, new Set(names))
      tell({ kind: 'subscribe', type, names: [...names] })
    },
    hear({ id, type, response: bytes }) {
      heard = true
      const response = fromBinary(DeltaDiscoveryResponseSchema, bytes)
      const { problems, accepted = [], inForce } = receive(type, response)
      const refused =
        problems.length === 0
          ? []
          : response.resources.map(({ name }) => name).filter((name) => !accepted.includes(name))
      if (problems.length > 0) refusals.set(type, problems.join('\n'))
      else refusals.delete(type)
      const answer = (): void => tell({ kind: 'received', id, problems, refused })
      if (inForce === undefined || problems.length > 0) answer()
      else void inForce.then(answer)
    },
    renew() {},
    close() {},
    state: () => ({
      connected: heard,
      reason: undefined,
      refused: Array.from(refusals, ([type, text]) => `${type}: ${text}`),
    }),
  }
}
