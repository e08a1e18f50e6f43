import type { Forward, Model, Origin, RouteRule, ServicePort, SettingOrigins } from '../model/model.ts'
import { namedPorts } from './envoy-outbound.ts'

/** Something that was asked for and that an Envoy does not do. */
export interface NotEnforced {
  /** "hedging". */
  readonly what: string
  readonly resource: string
  readonly field: string
}

/**
 * What of the mesh's policies an Envoy beside a program of `namespace` does not do for its calls: it travels in `weft.dev` metadata, which is
 * nothing to it. None of it is about security: mTLS, authorization and who may be called are Envoy's own filters. Each once.
 */
export function notEnforcedByEnvoy(model: Model, namespace: string): readonly NotEnforced[] {
  const found = namedPorts(model, namespace).flatMap(({ port, rules }) => [...ofPort(port), ...rules.flatMap(ofRule)])
  return [...new Map(found.map((one) => [`${one.what} ${one.resource} ${one.field}`, one])).values()]
}

/** The mesh's own default is met as well as Envoy can; what somebody has written is not. */
function ofPort({ loadBalancing, traffic }: ServicePort): readonly NotEnforced[] {
  const written = originOf(traffic?.settings, 'loadBalancing')
  return loadBalancing === 'peak-ewma' && written !== undefined
    ? [named('balancing by latency (least requests instead)', written)]
    : []
}

function ofRule({ action, origin }: RouteRule): readonly NotEnforced[] {
  if (action.kind !== 'forward') return []
  const { hedging, retry, session, settings }: Forward = action
  return [
    ...(hedging === undefined ? [] : [named('hedging', originOf(settings, 'hedging') ?? origin)]),
    ...(session?.kind === 'cookie' && session.idleMs !== undefined
      ? [named('the end of sessions that nobody uses', origin)]
      : []),
    ...(retry?.backoffMs === undefined ? [] : [named('a shortest wait before a retry', origin)]),
  ]
}

/** Of a setting, or of its first part. */
const originOf = (settings: SettingOrigins = {}, setting: string): Origin | undefined =>
  Object.entries(settings).find(([name]) => name === setting || name.startsWith(`${setting}.`))?.[1]

const named = (what: string, { resource, field }: Origin): NotEnforced => ({ what, resource, field })
