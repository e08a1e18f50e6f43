import type { JsonValue } from '@bufbuild/protobuf'
import type { Listener as XdsListener } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { UdpListenerConfigSchema } from '../../xds/gen/envoy/config/listener/v3/udp_listener_config_pb.ts'
import { RouteSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/route_pb.ts'
import {
  UdpProxyConfigSchema,
  type UdpProxyConfig,
} from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy_pb.ts'
import { MatcherSchema, type Matcher } from '../../xds/gen/xds/type/matcher/v3/matcher_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { weftMetadata } from '../../xds/names.ts'
import { numberIn, stringIn } from '../../xds/structs.ts'
import type { UdpProxy, WeightedCluster } from '../config.ts'
import { decodeAccessLogs } from './decode-access-log.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const listenerFields =
  fieldNames(`name address stat_prefix metadata traffic_direction listener_filters udp_listener_config
  reuse_port enable_reuse_port ignore_global_conn_limit bypass_overload_manager bind_to_port`)
const udpListenerFields = fieldNames('downstream_socket_config')

/** What a listener for datagrams does with them: one udp_proxy. Source: envoy.extensions.filters.udp.udp_proxy.v3. */
export function decodeUdp(listener: XdsListener, refused: Refusals): UdpProxy {
  knowOnly(ListenerSchema, listener, listenerFields, '', refused)
  const { udpListenerConfig, listenerFilters } = listener
  if (udpListenerConfig !== undefined)
    knowOnly(UdpListenerConfigSchema, udpListenerConfig, udpListenerFields, 'udp_listener_config', refused)
  const [filter, ...more] = listenerFilters
  const path = 'listener_filters[0]'
  const any = filter?.configType.case === 'typedConfig' ? filter.configType.value : undefined
  if (more.length > 0) refused.add('listener_filters[1]', 'a second filter is not supported')
  if (any?.typeUrl !== typeUrlOf(UdpProxyConfigSchema)) {
    refused.add(filter === undefined ? 'listener_filters' : path, 'expected udp_proxy: no other filter takes datagrams')
    return nothing
  }
  const proxy = open(any, UdpProxyConfigSchema, path, refused)
  if (proxy === undefined) return nothing
  const decoded = decodeProxy(proxy, path, refused)
  const split = decodeSplit(listener.metadata?.filterMetadata[weftMetadata]?.['split'])
  return split.length === 0 ? decoded : { ...decoded, clusters: split }
}

/** `weft.dev` metadata `split`: `[{ cluster, weight }]`. */
const decodeSplit = (split: JsonValue | undefined): readonly WeightedCluster[] =>
  (Array.isArray(split) ? split : []).flatMap((one): readonly WeightedCluster[] => {
    const json = typeof one === 'object' && one !== null && !Array.isArray(one) ? one : undefined
    const [cluster, weight] = [stringIn(json, 'cluster'), numberIn(json, 'weight')]
    return cluster === undefined || weight === undefined ? [] : [{ cluster, weight }]
  })

const nothing: UdpProxy = { statPrefix: '', clusters: [], idleTimeoutMs: 0, hash: undefined, accessLog: undefined }

const proxyFields = fieldNames('stat_prefix cluster matcher idle_timeout hash_policies access_log')

function decodeProxy(proxy: UdpProxyConfig, path: string, refused: Refusals): UdpProxy {
  knowOnly(UdpProxyConfigSchema, proxy, proxyFields, path, refused)
  const idleTimeoutMs = durationMs(proxy.idleTimeout, 60_000, join(path, 'idle_timeout'), refused)
  if (idleTimeoutMs === 0) refused.add(join(path, 'idle_timeout'), 'expected more than 0: nothing else ends a session')
  return {
    statPrefix: proxy.statPrefix,
    clusters: [{ cluster: decodeRoute(proxy, path, refused), weight: 1 }],
    idleTimeoutMs,
    hash: decodeHash(proxy, path, refused),
    accessLog: decodeAccessLogs(proxy.accessLog, 'session', join(path, 'access_log'), refused),
  }
}

function decodeRoute({ routeSpecifier: by }: UdpProxyConfig, path: string, refused: Refusals): string {
  if (by.case === 'cluster') return by.value
  if (by.case === 'matcher') return decodeMatcher(by.value, join(path, 'matcher'), refused)
  refused.add(path, 'expected cluster or matcher')
  return ''
}

const matcherFields = fieldNames('on_no_match')

/** All datagrams to one cluster: what is left to say when nothing is matched. */
function decodeMatcher(matcher: Matcher, path: string, refused: Refusals): string {
  knowOnly(MatcherSchema, matcher, matcherFields, path, refused)
  const at = join(path, 'on_no_match')
  const action = matcher.onNoMatch?.onMatch
  const any = action?.case === 'action' ? action.value.typedConfig : undefined
  if (any === undefined) {
    refused.add(at, 'expected an action')
    return ''
  }
  return open(any, RouteSchema, join(at, 'action'), refused)?.cluster ?? ''
}

function decodeHash({ hashPolicies }: UdpProxyConfig, path: string, refused: Refusals): UdpProxy['hash'] {
  const [policy, ...more] = hashPolicies
  if (more.length > 0) refused.add(join(path, 'hash_policies[1]'), 'a second policy is not supported')
  const by = policy?.policySpecifier
  if (by?.case === 'key') return { key: by.value }
  return by?.case === 'sourceIp' && by.value ? 'source-ip' : undefined
}
