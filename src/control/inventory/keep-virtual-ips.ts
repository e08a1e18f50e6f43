import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import type { Change, Store } from '../collect/store.ts'
import type { Resource } from '../decode/resource-types.ts'
import { givenAnnotation, portsAnnotation, type Entry } from './entry.ts'
import { isRemembered, portsToRemember } from './remembered-services.ts'
import { resourcesOf, type InventorySnapshot } from './snapshot.ts'
import { hasVirtualIp } from './virtual-ips.ts'

/** How long an address is kept for a Service that has gone, ms; a restart of the control plane begins anew. */
export const virtualIpGraceMs: number = 24 * 3_600_000
const sweeps = 24

/**
 * Writes every virtual IP down when it is first given, so that it stays the same for as long as its Service lives, and a day more, in
 * case it comes back; beside it the ports of one that is inferred, by which it is remembered so long. What people wrote stays.
 */
export interface VirtualIpKeeper {
  /** What was to be written so far has been, or was refused. */
  settled(): Promise<void>
  close(): void
}

/** A write that fails is tried again with the next change; until then the address is the same in any case unless two names collide. */
export function keepVirtualIps({
  store,
  current,
  clock,
  log,
}: {
  store: Store
  current: Watchable<InventorySnapshot>
  clock: Clock
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
      ([service]) => !underWay.has(service) && !entries.has(`VirtualIP/${service}`) && isWanted(service, entries),
    )
    for (const change of renewed(entries, underWay)) {
      const { namespace, name } = change.put.metadata
      const service = `${namespace}/${name}`
      underWay.add(service)
      last = write([service], [change])
    }
    if (missing.length === 0) return
    const services = missing.map(([service]) => service)
    for (const service of services) underWay.add(service)
    last = write(
      services,
      missing.map(([service, address]) => ({ put: document(service, address, entries), expected: '' })),
    )
  }
  /** Since when nobody has wanted an address, by the monotonic clock. */
  const unwanted = new Map<string, number>()
  const sweep = (): void => {
    const { entries } = current.value
    const nowMs = clock.nowMs()
    const changes: Change[] = []
    for (const { metadata } of resourcesOf(current.value, 'VirtualIP')) {
      const { namespace, name, annotations, resourceVersion } = metadata
      const service = `${namespace}/${name}`
      if (annotations[givenAnnotation] === undefined || isWanted(service, entries)) unwanted.delete(service)
      else if (!unwanted.has(service)) unwanted.set(service, nowMs)
      else if (nowMs - (unwanted.get(service) ?? nowMs) >= virtualIpGraceMs) {
        unwanted.delete(service)
        changes.push({ delete: { kind: 'VirtualIP', namespace, name }, expected: resourceVersion })
      }
    }
    // One that changed meanwhile is looked at again; it shall not hold up the others.
    for (const change of changes) last = write([], [change])
  }
  const sweeping = clock.every(virtualIpGraceMs / sweeps, sweep, { background: true })
  const unwatch = current.watch(look)
  look(current.value)
  return {
    settled: () => last,
    close() {
      sweeping.cancel()
      unwatch()
    },
  }
}

const isWanted = (service: string, entries: ReadonlyMap<string, Entry>): boolean =>
  [`Service/${service}`, `ExternalService/${service}`].some((key) => {
    const resource: Resource | undefined = entries.get(key)?.resource
    return resource !== undefined && hasVirtualIp(resource) && !isRemembered(resource)
  })

type Put = Extract<Change, { put: unknown }>

/** Those that were given, and whose Services have other ports by now. */
function renewed(entries: ReadonlyMap<string, Entry>, underWay: ReadonlySet<string>): readonly Put[] {
  const changes: Put[] = []
  for (const { resource } of entries.values()) {
    if (resource.kind !== 'VirtualIP' || resource.metadata.annotations[givenAnnotation] === undefined) continue
    const { namespace, name, annotations, resourceVersion } = resource.metadata
    const service = `${namespace}/${name}`
    const of = entries.get(`Service/${service}`)
    if (of === undefined || underWay.has(service) || portsToRemember(of) === annotations[portsAnnotation]) continue
    changes.push({ put: document(service, resource.spec.address, entries), expected: resourceVersion })
  }
  return changes
}

function document(service: string, address: string, entries: ReadonlyMap<string, Entry>): Put['put'] {
  const [namespace = '', name = ''] = service.split('/')
  const of = entries.get(`Service/${service}`)
  const ports = of && portsToRemember(of)
  const annotations = { [givenAnnotation]: 'true', ...(ports !== undefined && { [portsAnnotation]: ports }) }
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'VirtualIP',
    metadata: { namespace, name, annotations },
    spec: { address },
  }
}
