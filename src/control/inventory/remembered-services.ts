import { decodeDocument } from '../decode/decode.ts'
import type { Resource, ResourceOf } from '../decode/resource-types.ts'
import { inferredAnnotation, portsAnnotation, type Entry } from './entry.ts'

/**
 * Services that were inferred and whose last workload has gone, for as long as their address is kept: who calls while the only instance is
 * started anew hears at once that there is none (503), and not, perhaps for long, that nobody knows the name. What a VirtualIP has in
 * `portsAnnotation` is their ports. Pure.
 */
export function rememberedServices(entries: ReadonlyMap<string, Entry>): readonly Entry[] {
  const remembered: Entry[] = []
  for (const { resource } of entries.values()) {
    if (resource.kind !== 'VirtualIP') continue
    const { namespace, name } = resource.metadata
    if (entries.has(`Service/${namespace}/${name}`) || entries.has(`ExternalService/${namespace}/${name}`)) continue
    const entry = remember(resource)
    if (entry !== undefined) remembered.push(entry)
  }
  return remembered
}

/** What is to be remembered of this Service's ports: those of an inferred one, nothing of one that somebody wrote. */
export const portsToRemember = ({ resource, document }: Entry): string | undefined =>
  isInferred(resource) ? JSON.stringify((document.spec as { readonly ports?: unknown }).ports) : undefined

/** Nobody wrote it, and no workload stands for it any more. */
export const isRemembered = ({ metadata }: Resource): boolean =>
  metadata.annotations[inferredAnnotation] === 'remembered'

const isInferred = ({ metadata }: Resource): boolean => metadata.annotations[inferredAnnotation] !== undefined

/** Undefined: it had none, or somebody has written nonsense there. */
function remember({ metadata: of }: ResourceOf<'VirtualIP'>): Entry | undefined {
  const text = of.annotations[portsAnnotation]
  if (text === undefined) return undefined
  const metadata = {
    name: of.name,
    namespace: of.namespace,
    labels: {},
    annotations: { [inferredAnnotation]: 'remembered' },
    resourceVersion: of.resourceVersion,
    creationTimestamp: of.creationTimestamp,
  }
  const head = { apiVersion: 'v1', kind: 'Service', metadata } as const
  const spec = { ports: parsed(text) }
  const decoded = decodeDocument({ ...head, spec })
  return 'resource' in decoded
    ? { resource: decoded.resource, document: { ...head, spec }, owner: { kind: 'registered' } }
    : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
