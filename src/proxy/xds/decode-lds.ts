import { fromBinary, type JsonObject } from '@bufbuild/protobuf'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  FilterChainMatchSchema,
  FilterChainSchema,
  type FilterChain as XdsFilterChain,
  type FilterChainMatch as XdsFilterChainMatch,
  type ListenerFilter,
} from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { weftMetadata } from '../../xds/names.ts'
import { stringIn } from '../../xds/structs.ts'
import type { FilterChain, FilterChainMatch, Listener, Origin } from '../config.ts'
import { decodeFilters } from './decode-filters.ts'
import { durationMs, originFrom, socketAddress } from './decode-parts.ts'
import { decodeDownstreamTls } from './decode-tls.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const listenerFields =
  fieldNames(`name address stat_prefix filter_chains default_filter_chain metadata traffic_direction
  listener_filters listener_filters_timeout continue_on_listener_filters_timeout per_connection_buffer_limit_bytes
  drain_type tcp_fast_open_queue_length tcp_backlog_size connection_balance_config reuse_port enable_reuse_port
  max_connections_to_accept_per_socket_event ignore_global_conn_limit bypass_overload_manager bind_to_port`)

/** One Listener. Refused are the kinds that take connections otherwise: API listeners, UDP, internal, original destination. */
export function decodeLds(bytes: Uint8Array, refused: Refusals): Listener {
  const listener = fromBinary(ListenerSchema, bytes)
  knowOnly(ListenerSchema, listener, listenerFields, '', refused)
  if (listener.bindToPort === false) refused.add('bind_to_port', 'false is not supported')
  const weft = listener.metadata?.filterMetadata[weftMetadata]
  const origins = policyOrigins(weft)
  const chains = listener.filterChains.map((chain, index) =>
    decodeChain(chain, `chain-${index}`, origins, `filter_chains[${index}]`, refused),
  )
  if (chains.length === 0 && listener.defaultFilterChain === undefined)
    refused.add('filter_chains', 'expected at least one')
  return {
    name: listener.name,
    address: socketAddress(listener.address, 'address', refused),
    direction: directionOf(listener.trafficDirection),
    inspectTls: listener.listenerFilters.map((one, i) => decodeListenerFilter(one, i, refused)).includes('tls'),
    inspectTimeoutMs: durationMs(listener.listenerFiltersTimeout, 15_000, 'listener_filters_timeout', refused),
    continueOnInspectTimeout: listener.continueOnListenerFiltersTimeout,
    filterChains: chains,
    defaultFilterChain:
      listener.defaultFilterChain &&
      decodeChain(listener.defaultFilterChain, 'default', origins, 'default_filter_chain', refused),
    routeByName: stringIn(weft, 'routing') === 'names',
    ...(stringIn(weft, 'destination') === 'original' ? { originalDestination: true } : {}),
  }
}

function directionOf(direction: TrafficDirection): Listener['direction'] {
  if (direction === TrafficDirection.INBOUND) return 'inbound'
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : 'unspecified'
}

/** `weft.dev` metadata `policies`: an RBAC policy has no room for its own. */
function policyOrigins(weft: JsonObject | undefined): ReadonlyMap<string, Origin> {
  const policies = weft?.['policies']
  if (typeof policies !== 'object' || policies === null || Array.isArray(policies)) return new Map()
  return new Map(
    Object.entries(policies).flatMap(([name, json]) => {
      const origin = typeof json === 'object' && json !== null && !Array.isArray(json) ? originFrom(json) : undefined
      return origin === undefined ? [] : [[name, origin] as const]
    }),
  )
}

const tlsInspector = 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector'

/** Its options (fingerprints, buffer sizes) change nothing that we look at. */
function decodeListenerFilter(
  { name, configType, filterDisabled }: ListenerFilter,
  index: number,
  refused: Refusals,
): 'tls' | undefined {
  const path = `listener_filters[${index}]`
  if (filterDisabled !== undefined) refused.add(`${path}.filter_disabled`, 'is not supported')
  if (configType.case === 'typedConfig' && configType.value.typeUrl === tlsInspector) return 'tls'
  refused.add(path, `${name} is not supported`)
  return undefined
}

const chainFields = fieldNames('filter_chain_match filters metadata transport_socket name')

function decodeChain(
  chain: XdsFilterChain,
  fallbackName: string,
  origins: ReadonlyMap<string, Origin>,
  path: string,
  refused: Refusals,
): FilterChain {
  knowOnly(FilterChainSchema, chain, chainFields, path, refused)
  const { networkFilters, terminal } = decodeFilters(chain.filters, origins, join(path, 'filters'), refused)
  return {
    name: chain.name || fallbackName,
    match: decodeMatch(chain.filterChainMatch, join(path, 'filter_chain_match'), refused),
    tls: decodeDownstreamTls(chain.transportSocket, join(path, 'transport_socket'), refused),
    networkFilters,
    terminal,
  }
}

const matchFields = fieldNames('destination_port server_names transport_protocol application_protocols')
const anything: FilterChainMatch = {
  destinationPort: undefined,
  serverNames: [],
  transportProtocol: undefined,
  applicationProtocols: [],
}

function decodeMatch(match: XdsFilterChainMatch | undefined, path: string, refused: Refusals): FilterChainMatch {
  if (match === undefined) return anything
  knowOnly(FilterChainMatchSchema, match, matchFields, path, refused)
  const transport = match.transportProtocol
  if (transport !== '' && transport !== 'tls' && transport !== 'raw_buffer')
    refused.add(join(path, 'transport_protocol'), `"${transport}" is not supported`)
  return {
    destinationPort: match.destinationPort,
    serverNames: match.serverNames.map((name) => name.toLowerCase()),
    transportProtocol: transport === 'tls' || transport === 'raw_buffer' ? transport : undefined,
    applicationProtocols: match.applicationProtocols,
  }
}
