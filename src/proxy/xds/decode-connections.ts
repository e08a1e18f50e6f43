import {
  UpstreamConnectionOptionsSchema,
  type Cluster as XdsCluster,
  type UpstreamConnectionOptions,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import {
  Http2ProtocolOptionsSchema,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  type HttpProtocolOptions as CommonOptions,
} from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import {
  HttpProtocolOptionsSchema,
  type HttpProtocolOptions,
} from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { Cluster, ConnectionRules } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const optionFields = fieldNames('common_http_protocol_options explicit_http_config')
const commonFields = fieldNames(
  'idle_timeout max_connection_duration max_connection_duration_jitter max_requests_per_connection',
)
/** Extended CONNECT is used where the peer offers it, and only for upgrades. */
const http2Fields = fieldNames('allow_connect')

/** Which protocol a cluster's connections speak, and how long they live. */
export function decodeConnections(
  cluster: XdsCluster,
  refused: Refusals,
): Pick<Cluster, 'upstreamProtocol' | 'idleTimeoutMs' | 'connections'> {
  for (const name of Object.keys(cluster.typedExtensionProtocolOptions))
    if (name !== httpOptions) refused.add(`typed_extension_protocol_options[${name}]`, 'is not supported')
  const path = `typed_extension_protocol_options[${httpOptions}]`
  const any = cluster.typedExtensionProtocolOptions[httpOptions]
  const options: HttpProtocolOptions | undefined = any && open(any, HttpProtocolOptionsSchema, path, refused)
  const old = cluster.http2ProtocolOptions === undefined ? 'http/1.1' : 'h2'
  const keepAlive = keepAliveOf(cluster.upstreamConnectionOptions, refused)
  const maxCalls = options?.commonHttpProtocolOptions?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection
  // Envoy: 0 is no limit.
  const connections: ConnectionRules = { ...keepAlive, ...(maxCalls && { maxCalls }) }
  if (options === undefined) return { upstreamProtocol: old, idleTimeoutMs: 3_600_000, ...unlessEmpty(connections) }
  knowOnly(HttpProtocolOptionsSchema, options, optionFields, path, refused)
  const common = options.commonHttpProtocolOptions
  const commonPath = join(path, 'common_http_protocol_options')
  if (common !== undefined) knowOnly(CommonOptionsSchema, common, commonFields, commonPath, refused)
  const by = options.upstreamProtocolOptions
  const config = by.case === 'explicitHttpConfig' ? by.value.protocolConfig : undefined
  const explicit = config?.case
  if (config?.case === 'http2ProtocolOptions') {
    const at = join(path, 'explicit_http_config.http2_protocol_options')
    knowOnly(Http2ProtocolOptionsSchema, config.value, http2Fields, at, refused)
  }
  if (explicit === 'http3ProtocolOptions')
    refused.add(join(path, 'explicit_http_config.http3_protocol_options'), 'is not supported')
  return {
    upstreamProtocol: explicit === 'http2ProtocolOptions' ? 'h2' : 'http/1.1',
    idleTimeoutMs: durationMs(common?.idleTimeout, 3_600_000, join(commonPath, 'idle_timeout'), refused),
    ...unlessEmpty({ ...connections, ...ageOf(common, commonPath, refused) }),
  }
}

const unlessEmpty = (connections: ConnectionRules): Pick<Cluster, 'connections'> =>
  Object.keys(connections).length === 0 ? {} : { connections }

function ageOf(common: CommonOptions | undefined, path: string, refused: Refusals): ConnectionRules {
  if (common?.maxConnectionDuration === undefined) {
    if (common?.maxConnectionDurationJitter !== undefined)
      refused.add(join(path, 'max_connection_duration_jitter'), 'expected max_connection_duration beside it')
    return {}
  }
  const maxAgeMs = durationMs(common.maxConnectionDuration, 0, join(path, 'max_connection_duration'), refused)
  if (maxAgeMs < 1) refused.add(join(path, 'max_connection_duration'), 'expected at least 1 ms')
  const ageJitterPercent = common.maxConnectionDurationJitter?.value
  return { maxAgeMs, ...(ageJitterPercent !== undefined && { ageJitterPercent }) }
}

const connectionFields = fieldNames('tcp_keepalive')

/** What is not said is Linux's own. */
function keepAliveOf(options: UpstreamConnectionOptions | undefined, refused: Refusals): ConnectionRules {
  if (options === undefined) return {}
  knowOnly(UpstreamConnectionOptionsSchema, options, connectionFields, 'upstream_connection_options', refused)
  const given = options.tcpKeepalive
  if (given === undefined) return {}
  return {
    keepAlive: {
      idleMs: (given.keepaliveTime ?? 7200) * 1000,
      intervalMs: (given.keepaliveInterval ?? 75) * 1000,
      probes: given.keepaliveProbes ?? 9,
    },
  }
}
