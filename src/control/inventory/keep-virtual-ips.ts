import type { Log } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import type { Change, Store } from '../collect/store.ts'
import type { InventorySnapshot } from './snapshot.ts'

/** Writes every virtual IP down when it is first given, so that it stays the same for as long as the store lives. */
export interface VirtualIpKeeper {
  /** What was to be written so far has been, or was refused. */
  settled(): Promise<void>
  close(): void
}

/** A write that fails is tried again with the next change; until then the address is the same in any case unless two names collide. */
export function keepVirtualIps({
  store,
  current,
  log,
}: {
  store: Store
  current: Watchable<InventorySnapshot>
  log: Log
}): VirtualIpKeeper {
  const underWay = new Set<string>()
  let last: Promise<void> = Promise.resolve()
  const write = async (services: readonly string[], changes: readonly Change[]): Promise<void> => {
    try {
      const result = await store.write(changes)
      if (result.kind === 'done') return
      // Another control plane was faster: its word comes by the watch.
      log.debug('virtual IP written by another', { service: result.key.name })
    } catch (error) {
      log.warn('virtual IPs not written', { reason: String(error) })
    }
    for (const service of services) underWay.delete(service)
  }
  const look = ({ entries, virtualIps }: InventorySnapshot): void => {
    for (const service of underWay) if (entries.has(`VirtualIP/${service}`)) underWay.delete(service)
    const missing = [...virtualIps].filter(
      ([service]) =>
        !underWay.has(service) &&
        !entries.has(`VirtualIP/${service}`) &&
        (entries.has(`Service/${service}`) || entries.has(`ExternalService/${service}`)),
    )
    if (missing.length === 0) return
    const services = missing.map(([service]) => service)
    for (const service of services) underWay.add(service)
    last = write(
      services,
      missing.map(([service, address]) => ({ put: document(service, address), expected: '' })),
    )
  }
  const unwatch = current.watch(look)
  look(current.value)
  return { settled: () => last, close: unwatch }
}

function document(service: string, address: string): Extract<Change, { put: unknown }>['put'] {
  const [namespace = '', name = ''] = service.split('/')
  return { apiVersion: 'weft.dev/v1alpha1', kind: 'VirtualIP', metadata: { namespace, name }, spec: { address } }
}
