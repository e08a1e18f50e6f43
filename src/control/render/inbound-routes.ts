import type { MessageInitShape } from '@bufbuild/protobuf'
import { isHttp2 } from '../../base/app-protocol.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { clientCertificateHeader, upstreamFaultHeader } from '../../xds/names.ts'
import type { InboundPort, ValueMatch } from '../model/model.ts'
import { limitOrigins } from './authorization-filters.ts'
import { inboundClusterName } from './clusters.ts'
import { limiterOfRoute } from './external-limit.ts'
import { duration, weft } from './parts.ts'
import { limitsOfRoute } from './rate-limits.ts'
import { renderMatch } from './routes.ts'

type Route = MessageInitShape<typeof RouteSchema>

/** Everything goes to the program; where routes have limits of their own, what arrives by them is told apart. */
export function renderInboundRoutes(
  port: InboundPort,
  { trustDomain, envoy }: { readonly trustDomain: string; readonly envoy: boolean },
): MessageInitShape<typeof RouteConfigurationSchema> {
  const cluster = inboundClusterName(port)
  const { rules = [], rateLimits = [], externalLimit } = port
  const action: NonNullable<Route['action']> = {
    case: 'route',
    value: {
      clusterSpecifier: { case: 'cluster', value: cluster },
      timeout: duration(0),
      ...(isHttp2(port.protocol) ? { idleTimeout: duration(0) } : {}),
    },
  }
  const anything = {
    name: 'program',
    match: { pathSpecifier: { case: 'prefix' as const, value: '/' } },
    action,
    ...(rules.length > 0 && (rateLimits.length > 0 || externalLimit !== undefined)
      ? {
          typedPerFilterConfig: { ...limitsOfRoute(rateLimits), ...limiterOfRoute(externalLimit) },
          metadata: weft(undefined, limitOrigins(rateLimits)),
        }
      : {}),
  }
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      {
        name: 'program',
        domains: ['*'],
        // What an Envoy says of its program by this header, the program itself shall not say. Our own proxy sees to that by itself.
        ...(envoy ? { responseHeadersToRemove: [upstreamFaultHeader] } : {}),
        routes: [
          ...rules.map(({ name, match, callers, rateLimits: own, externalLimit: asked, origin }): Route => {
            const from = callers === undefined ? [] : [fromNamespace(callers, trustDomain)]
            return {
              name,
              match: renderMatch({ ...match, headers: [...match.headers, ...from] }),
              action,
              typedPerFilterConfig: { ...limitsOfRoute(own), ...limiterOfRoute(asked) },
              metadata: weft(origin, limitOrigins(own)),
            }
          }),
          anything,
        ],
      },
    ],
  }
}

/** The header is written anew from the caller's certificate before routes are looked at. */
const fromNamespace = (namespace: string, trustDomain: string): ValueMatch => ({
  name: clientCertificateHeader,
  kind: 'regex',
  value: `.*URI=spiffe://${`${trustDomain}/ns/${namespace}/sa/`.replaceAll('.', '\\.')}.*`,
})
