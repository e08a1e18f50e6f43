import {
  UpstreamConnectionOptionsSchema,
  type Cluster as XdsCluster,
  type UpstreamConnectionOptions,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import {
  Http2ProtocolOptionsSchema,
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  KeepaliveSettingsSchema,
  type Http1ProtocolOptions,
  type Http2ProtocolOptions,
  type HttpProtocolOptions as CommonOptions,
  type KeepaliveSettings,
} from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import {
  HttpProtocolOptions_AutoHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
  type HttpProtocolOptions,
} from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { UpstreamTlsContextSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import type { Cluster, ConnectionRules } from '../config.ts'
import { decodeHttp1Client } from './decode-http1.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const optionFields = fieldNames(
  'common_http_protocol_options explicit_http_config use_downstream_protocol_config auto_config',
)
const protocolFields = fieldNames('http_protocol_options http2_protocol_options')
const commonFields = fieldNames(
  'idle_timeout max_connection_duration max_connection_duration_jitter max_requests_per_connection',
)
/** Extended CONNECT is used where the peer offers it, and only for upgrades. */
const http2Fields = fieldNames('allow_connect connection_keepalive')
const pingFields = fieldNames('interval timeout')

/** Which protocol a cluster's connections speak, and how long they live. */
export function decodeConnections(
  cluster: XdsCluster,
  refused: Refusals,
): Pick<Cluster, 'upstreamProtocol' | 'protocolBy' | 'idleTimeoutMs' | 'connections' | 'headerCase'> {
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
  if (options === undefined) {
    const spelling = decodeHttp1Client(cluster.httpProtocolOptions, 'http_protocol_options', refused)
    return { upstreamProtocol: old, ...spelling, idleTimeoutMs: 3_600_000, ...unlessEmpty(connections) }
  }
  knowOnly(HttpProtocolOptionsSchema, options, optionFields, path, refused)
  const common = options.commonHttpProtocolOptions
  const commonPath = join(path, 'common_http_protocol_options')
  if (common !== undefined) knowOnly(CommonOptionsSchema, common, commonFields, commonPath, refused)
  const protocol = decodeProtocol(options.upstreamProtocolOptions, cluster, path, refused)
  return {
    upstreamProtocol: protocol.http2 ? 'h2' : 'http/1.1',
    ...(protocol.by && { protocolBy: protocol.by }),
    ...protocol.spelling,
    idleTimeoutMs: durationMs(common?.idleTimeout, 3_600_000, join(commonPath, 'idle_timeout'), refused),
    ...unlessEmpty({ ...connections, ...protocol.ping, ...ageOf(common, commonPath, refused) }),
  }
}

/** What connections speak, or who says so, and how those of HTTP/2 are kept alive. */
interface ProtocolChoice {
  readonly http2: boolean
  readonly by?: Cluster['protocolBy']
  readonly ping: Pick<ConnectionRules, 'ping'>
  readonly spelling?: Pick<Cluster, 'headerCase'>
}

function decodeProtocol(
  by: HttpProtocolOptions['upstreamProtocolOptions'],
  cluster: XdsCluster,
  path: string,
  refused: Refusals,
): ProtocolChoice {
  const pingIn = (options: Http2ProtocolOptions | undefined, part: string): Pick<ConnectionRules, 'ping'> => {
    if (options === undefined) return {}
    const at = join(path, `${part}.http2_protocol_options`)
    knowOnly(Http2ProtocolOptionsSchema, options, http2Fields, at, refused)
    return pingOf(options.connectionKeepalive, join(at, 'connection_keepalive'), refused)
  }
  const spellingIn = (options: Http1ProtocolOptions | undefined, part: string): Pick<Cluster, 'headerCase'> =>
    decodeHttp1Client(options, join(path, `${part}.http_protocol_options`), refused)
  switch (by.case) {
    case 'explicitHttpConfig': {
      const config = by.value.protocolConfig
      if (config.case === 'http3ProtocolOptions')
        refused.add(join(path, 'explicit_http_config.http3_protocol_options'), 'is not supported')
      const options = config.case === 'http2ProtocolOptions' ? config.value : undefined
      const http1 = config.case === 'httpProtocolOptions' ? config.value : undefined
      const spelling = spellingIn(http1, 'explicit_http_config')
      return { http2: options !== undefined, ping: pingIn(options, 'explicit_http_config'), spelling }
    }
    case 'useDownstreamProtocolConfig': {
      const part = 'use_downstream_protocol_config'
      knowOnly(HttpProtocolOptions_UseDownstreamHttpConfigSchema, by.value, protocolFields, join(path, part), refused)
      const ping = pingIn(by.value.http2ProtocolOptions, part)
      return { http2: false, by: 'downstream', ping, spelling: spellingIn(by.value.httpProtocolOptions, part) }
    }
    case 'autoConfig': {
      const at = join(path, 'auto_config')
      knowOnly(HttpProtocolOptions_AutoHttpConfigSchema, by.value, protocolFields, at, refused)
      const sockets = [cluster.transportSocket, ...cluster.transportSocketMatches.map((one) => one.transportSocket)]
      if (sockets.some((one) => one?.configType.value?.typeUrl !== typeUrlOf(UpstreamTlsContextSchema)))
        refused.add(at, 'expected a transport_socket of TLS: there the server chooses, by ALPN')
      const ping = pingIn(by.value.http2ProtocolOptions, 'auto_config')
      return { http2: false, by: 'alpn', ping, spelling: spellingIn(by.value.httpProtocolOptions, 'auto_config') }
    }
    default:
      return { http2: false, ping: {} }
  }
}

/** Envoy asks at each interval whatever is heard meanwhile; here a peer that was heard is alive. */
function pingOf(given: KeepaliveSettings | undefined, path: string, refused: Refusals): Pick<ConnectionRules, 'ping'> {
  if (given === undefined) return {}
  knowOnly(KeepaliveSettingsSchema, given, pingFields, path, refused)
  const silentMs = durationMs(given.interval, 0, join(path, 'interval'), refused)
  const answerMs = durationMs(given.timeout, 0, join(path, 'timeout'), refused)
  if (answerMs < 1) refused.add(join(path, 'timeout'), 'expected at least 1 ms')
  if (silentMs < 1) refused.add(join(path, 'interval'), 'expected at least 1 ms')
  return { ping: { silentMs, answerMs } }
}

const unlessEmpty = (connections: ConnectionRules): Pick<Cluster, 'connections'> =>
  Object.keys(connections).length === 0 ? {} : { connections }

/** How old a connection may become, ms, and how much of that is chance. Source: envoy HttpProtocolOptions.max_connection_duration. */
export function ageOf(common: CommonOptions | undefined, path: string, refused: Refusals): ConnectionRules {
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
