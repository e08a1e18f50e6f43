import type { Problem } from '../../base/problem.ts'
import type { NamespacesFrom } from '../decode/gateway.ts'
import type { ParentRef } from '../decode/parent-ref.ts'
import { keyText } from '../decode/resource.ts'
import type { AnyRouteResource } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { Listener } from './gateway-listeners.ts'
import { commonHost } from './hostnames.ts'
import { conditionAt } from './linked.ts'

/** One route at one listener. */
export interface Attachment {
  readonly listener: Listener
  /** What the route's hosts and the listener's have in common: at least one. */
  readonly hostnames: readonly string[]
}

/** Where a route attaches at one Gateway or ListenerSet that it names; or why nowhere. Source: Gateway API, ParentReference and AllowedRoutes. */
export function attach(
  route: AnyRouteResource,
  { ref, field }: { readonly ref: ParentRef; readonly field: string },
  listeners: readonly Listener[],
  snapshot: InventorySnapshot,
): readonly Attachment[] | Problem {
  const { namespace: own } = route.metadata
  const gateway = `${ref.kind} ${ref.namespace ?? own}/${ref.name}`
  const refuse = (part: string, reason: string, message: string): Problem =>
    conditionAt(route, `${field}.${part}`, { type: 'Accepted', reason }, `${message}, so the route has no effect there`)

  const named = listeners.filter(({ spec }) => ref.sectionName === undefined || spec.name === ref.sectionName)
  if (named.length === 0) {
    const names = listeners.map(({ spec }) => spec.name).join(', ')
    return refuse('sectionName', 'NoMatchingParent', `${gateway} has no listener ${ref.sectionName} (it has ${names})`)
  }
  const meant = named.filter(({ spec }) => ref.port === undefined || spec.port === ref.port)
  if (meant.length === 0) {
    const ports = [...new Set(named.map(({ spec }) => spec.port))].join(', ')
    const what = ref.sectionName === undefined ? gateway : `listener ${ref.sectionName} of ${gateway}`
    return refuse('port', 'NoMatchingParent', `${what} is not on port ${ref.port} (but ${ports})`)
  }
  const allowed = meant.filter(
    ({ kinds, owner, spec }) =>
      kinds.includes(route.kind) && isAllowed(own, spec.allowedRoutes.namespaces, owner.metadata.namespace, snapshot),
  )
  if (allowed.length === 0) {
    const byKind = !meant.some(({ kinds }) => kinds.includes(route.kind))
    const who = byKind ? `${route.kind}s` : `routes of namespace ${own}`
    return refuse(
      'name',
      'NotAllowedByListeners',
      `no listener that is meant of ${gateway} allows ${who} (allowedRoutes)`,
    )
  }
  const attachments = allowed.flatMap((listener): readonly Attachment[] => {
    const hosts = 'hostnames' in route.spec ? route.spec.hostnames : []
    const wanted = hosts.length === 0 ? [listener.hostname] : hosts
    const common = wanted.flatMap((one) => commonHost(one, listener.hostname) ?? [])
    return common.length === 0 ? [] : [{ listener, hostnames: [...new Set(common)] }]
  })
  if (attachments.length > 0) return attachments
  const hosts = allowed.map(({ hostname }) => hostname).join(', ')
  return refuse(
    'name',
    'NoMatchingListenerHostname',
    `${gateway} takes none of spec.hostnames (its listeners are for ${hosts})`,
  )
}

/** Whether something of `namespace` may attach to something in `own`. */
export function isAllowed(
  namespace: string,
  { from, matchLabels }: NamespacesFrom,
  own: string,
  { entries }: InventorySnapshot,
): boolean {
  if (from !== 'Selector') return from === 'All' || (from === 'Same' && namespace === own)
  const written = entries.get(keyText({ kind: 'Namespace', namespace: '', name: namespace }))?.resource.metadata.labels
  // Every namespace has this one. Source: Kubernetes, "Automatic labelling".
  const labels: Readonly<Record<string, string>> = { ...written, 'kubernetes.io/metadata.name': namespace }
  return Object.entries(matchLabels).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}
