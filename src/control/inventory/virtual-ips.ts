import type { Problem } from '../../base/problem.ts'
import { formatKey } from '../decode/resource.ts'
import type { Resource, ResourceOf } from '../decode/resource-types.ts'
import { keyOfResource, type Entry } from './entry.ts'

/** 240.0.0.0/5: reserved, so that no network has these addresses; above lie 255.255.255.255 and what looks like it. */
const first = 240 * 2 ** 24
const count = 2 ** 27

/**
 * The virtual IP of every service, by `<namespace>/<name>`: what a VirtualIP resource says, else an address that follows from the name,
 * or the next one that is free. The same names give the same addresses on every machine, but for the rare two that want the same one;
 * what is written down decides there. Pure.
 */
export function virtualIps(entries: ReadonlyMap<string, Entry>): {
  readonly addresses: ReadonlyMap<string, string>
  readonly problems: readonly Problem[]
} {
  const written: ResourceOf<'VirtualIP'>[] = []
  const services: string[] = []
  for (const { resource } of entries.values()) {
    if (resource.kind === 'VirtualIP') written.push(resource)
    if (hasVirtualIp(resource)) services.push(`${resource.metadata.namespace}/${resource.metadata.name}`)
  }
  const addresses = new Map<string, string>()
  const owners = new Map<string, string>()
  const problems: Problem[] = []
  for (const resource of written.toSorted(byAge)) {
    const { namespace, name } = resource.metadata
    const { address } = resource.spec
    const owner = owners.get(address)
    if (owner !== undefined) {
      problems.push(taken(resource, owner))
      continue
    }
    owners.set(address, `${namespace}/${name}`)
    addresses.set(`${namespace}/${name}`, address)
  }
  for (const service of [...new Set(services)].toSorted()) {
    if (addresses.has(service)) continue
    const address = addressFor(service, (one) => owners.has(one))
    owners.set(address, service)
    addresses.set(service, address)
  }
  return { addresses, problems }
}

/** The address that follows from a name, or the next one that is free. */
export function addressFor(name: string, taken: (address: string) => boolean): string {
  let index = hash(name) % count
  while (taken(format(first + index))) index = (index + 1) % count
  return format(first + index)
}

/** Whether the mesh's DNS has an address for it. What goes on to where it was going needs the addresses that it really has; a headless Service is the addresses of its instances. */
export const hasVirtualIp = (resource: Resource): boolean =>
  (resource.kind === 'Service' && resource.spec.headless === undefined) ||
  (resource.kind === 'ExternalService' && resource.spec.resolution !== 'None')

const byAge = (a: ResourceOf<'VirtualIP'>, b: ResourceOf<'VirtualIP'>): number => (ageKey(a) < ageKey(b) ? -1 : 1)
const ageKey = ({ metadata }: ResourceOf<'VirtualIP'>): string =>
  `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`

function taken(resource: ResourceOf<'VirtualIP'>, owner: string): Problem {
  const place = resource.placeOf?.('spec.address')
  return {
    severity: 'error',
    resource: formatKey(keyOfResource(resource)),
    field: 'spec.address',
    message: `${resource.spec.address} belongs to ${owner} already; this Service gets another one`,
    ...(place === undefined ? {} : { place }),
  }
}

/** FNV-1a, 32 bits. Source: draft-eastlake-fnv. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value >>> 0
}

const format = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
