import { fromBinary } from '@bufbuild/protobuf'
import { SocketAddress_Protocol } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  FilterChainSchema,
  type FilterChain as XdsFilterChain,
} from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { weftMetadata } from '../../xds/names.ts'
import { stringIn } from '../../xds/structs.ts'
import type { FilterChain, Listener, Origin } from '../config.ts'
import { decodeAccessLogs } from './decode-access-log.ts'
import { decodeChainMatch } from './decode-chain-match.ts'
import { decodeFilters } from './decode-filters.ts'
import { decodeListenerFilters } from './decode-listener-filters.ts'
import { durationMs, ipAddress, originOf, policyOrigins, socketAddress } from './decode-parts.ts'
import { decodeDownstreamTls } from './decode-tls.ts'
import { decodeUdp } from './decode-udp.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const listenerFields =
  fieldNames(`name address stat_prefix filter_chains default_filter_chain metadata traffic_direction
  listener_filters listener_filters_timeout continue_on_listener_filters_timeout per_connection_buffer_limit_bytes
  drain_type tcp_fast_open_queue_length tcp_backlog_size connection_balance_config reuse_port enable_reuse_port
  max_connections_to_accept_per_socket_event ignore_global_conn_limit bypass_overload_manager bind_to_port use_original_dst access_log`)

/** One Listener. Refused are the kinds that take connections otherwise: API listeners, internal ones. */
export function decodeLds(bytes: Uint8Array, refused: Refusals): Listener {
  const listener = fromBinary(ListenerSchema, bytes)
  const weft = listener.metadata?.filterMetadata[weftMetadata]
  const address = listener.address?.address
  if (address?.case === 'socketAddress' && address.value.protocol === SocketAddress_Protocol.UDP) {
    if (listener.bindToPort === false) refused.add('bind_to_port', 'false is not supported for datagrams')
    return {
      name: listener.name,
      address: ipAddress(address.value, 'address.socket_address', refused),
      direction: directionOf(listener.trafficDirection),
      udp: decodeUdp(listener, refused),
      ...noConnections,
    }
  }
  knowOnly(ListenerSchema, listener, listenerFields, '', refused)
  const origins = policyOrigins(weft)
  const around = (fallbackName: string): AroundChain => ({
    fallbackName,
    origins,
    direction: listener.trafficDirection,
  })
  const chains = listener.filterChains.map((chain, index) =>
    decodeChain(chain, around(`chain-${index}`), `filter_chains[${index}]`, refused),
  )
  if (chains.length === 0 && listener.defaultFilterChain === undefined)
    refused.add('filter_chains', 'expected at least one')
  const accessLog = decodeAccessLogs(listener.accessLog, 'listener', 'access_log', refused)
  return {
    name: listener.name,
    address: socketAddress(listener.address, 'address', refused),
    direction: directionOf(listener.trafficDirection),
    ...decodeListenerFilters(listener.listenerFilters, refused),
    // The kernel's word is asked for then, whether the filter stands there or not.
    ...(listener.useOriginalDst === true && { handsOver: true, restoresDestination: true }),
    ...(listener.bindToPort === false && { unbound: true }),
    ...(accessLog && { accessLog }),
    inspectTimeoutMs: durationMs(listener.listenerFiltersTimeout, 15_000, 'listener_filters_timeout', refused),
    continueOnInspectTimeout: listener.continueOnListenerFiltersTimeout,
    filterChains: chains,
    defaultFilterChain:
      listener.defaultFilterChain &&
      decodeChain(listener.defaultFilterChain, around('default'), 'default_filter_chain', refused),
    routeByName: stringIn(weft, 'routing') === 'names',
    ...(stringIn(weft, 'destination') === 'original' ? { originalDestination: true } : {}),
    ...(stringIn(weft, 'datagrams') === 'allow' ? { carriesDatagrams: true } : {}),
  }
}

const noConnections = {
  inspectTls: false,
  inspectTimeoutMs: 0,
  filterChains: [],
  defaultFilterChain: undefined,
  routeByName: false,
} as const

function directionOf(direction: TrafficDirection): Listener['direction'] {
  if (direction === TrafficDirection.INBOUND) return 'inbound'
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : 'unspecified'
}

const chainFields = fieldNames('filter_chain_match filters metadata transport_socket name')

interface AroundChain {
  readonly fallbackName: string
  readonly origins: ReadonlyMap<string, Origin>
  readonly direction: TrafficDirection
}

function decodeChain(
  chain: XdsFilterChain,
  { fallbackName, origins, direction }: AroundChain,
  path: string,
  refused: Refusals,
): FilterChain {
  knowOnly(FilterChainSchema, chain, chainFields, path, refused)
  const { networkFilters, terminal } = decodeFilters(
    { filters: chain.filters, direction },
    origins,
    join(path, 'filters'),
    refused,
  )
  const origin = originOf(chain.metadata)
  return {
    name: chain.name || fallbackName,
    match: decodeChainMatch(chain.filterChainMatch, join(path, 'filter_chain_match'), refused),
    tls: decodeDownstreamTls(chain.transportSocket, join(path, 'transport_socket'), refused),
    networkFilters,
    terminal: terminal.kind === 'tcp' && origin !== undefined ? { ...terminal, origin } : terminal,
  }
}
