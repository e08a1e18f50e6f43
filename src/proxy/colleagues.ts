import type { AdsSource } from '../xds/ads-client.ts'
import type { XdsType } from '../xds/type-urls.ts'
import type { FromSidecar, ToSidecar, WorkerPart } from './sidecar-messages.ts'
import { createRelayedClient, type RelayedClient } from './xds/relayed-client.ts'

/** The other workers of the same proxy, as this one reaches them: through the agent. */
export interface Colleagues {
  /** Configuration by the one stream that all share. */
  readonly source: AdsSource
  /** The same part of what each of the others knows; those that are silent are left out. */
  gather(what: WorkerPart, own: unknown): Promise<Gathered>
  hear(message: Extract<ToSidecar, { kind: 'resources' | 'gathered' }>): void
}

type Gathered = Pick<Extract<ToSidecar, { kind: 'gathered' }>, 'parts' | 'controlPlane'>

/** Nobody has said anything yet. */
export function createColleagues(tell: (message: FromSidecar) => void): Colleagues {
  const waiting = new Map<number, (gathered: Gathered) => void>()
  let client: RelayedClient | undefined
  let nextId = 1
  return {
    source: (receiver) => (client = createRelayedClient(receiver, tell)),
    gather: (what, own) =>
      new Promise((resolve) => {
        const id = nextId++
        waiting.set(id, resolve)
        tell({ kind: 'gather', id, what, own })
      }),
    hear(message) {
      if (message.kind === 'gathered') {
        waiting.get(message.id)?.(message)
        return void waiting.delete(message.id)
      }
      const { id, type, response } = message
      client?.hear({ id, type: type as XdsType, response: Buffer.from(response, 'base64') })
    },
  }
}
