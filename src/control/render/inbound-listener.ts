import type { MessageInitShape } from '@bufbuild/protobuf'
import { isHttp } from '../../base/app-protocol.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterChainSchema, FilterSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { LocalReplyConfigSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { GrpcWebSchema } from '../../xds/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import { meshAlpn, meshTcpAlpn, upstreamFaultHeader } from '../../xds/names.ts'
import type { InboundPort, Workload } from '../model/model.ts'
import { httpAuthorization, policyOrigins } from './authorization-filters.ts'
import { inboundClusterName } from './clusters.ts'
import { renderHttp } from './http-manager.ts'
import { socketAddress, typed, weft } from './parts.ts'
import { tcpFilters } from './tcp-proxy.ts'
import { namedConcurrency, renderAdaptiveConcurrency } from './adaptive-concurrency.ts'
import { limiterSlots, namedExternalLimits, renderExternalLimit } from './external-limit.ts'
import { renderInboundRoutes } from './inbound-routes.ts'
import { limitSlots, renderRateLimits } from './rate-limits.ts'
import { inspectTls, renderDownstreamTls, tlsTransportSocket } from './tls.ts'
import type { CallTracing } from './tracing.ts'

type FilterChain = MessageInitShape<typeof FilterChainSchema>
type Filter = MessageInitShape<typeof FilterSchema>

/** Name of the listener of one inbound port. */
export const inboundListenerName = ({ name, targetPort }: InboundPort): string =>
  `inbound/${name === '' ? targetPort : name}`

/**
 * How calls reach the program on one port. With mTLS the client's identity is proven, and either marker is understood: `weft` for
 * requests, `weft-tcp` for a raw byte stream, which on an HTTP port is checked by the rules that need no request. PERMISSIVE takes
 * plain text as well, and leaves TLS without a marker to the program itself.
 */
export function renderInboundListener(
  workload: Workload,
  port: InboundPort,
  { accessLog, trustDomain, tracing }: Pick<Parts, 'accessLog' | 'trustDomain' | 'tracing'>,
): MessageInitShape<typeof ListenerSchema> {
  const parts: Parts = { port, accessLog, trustDomain, tracing, envoy: workload.proxy === 'envoy' }
  return {
    name: inboundListenerName(port),
    address: socketAddress(port.address),
    trafficDirection: TrafficDirection.INBOUND,
    ...(port.mtls === 'disable' ? {} : inspection(port)),
    filterChains: [
      ...(port.mtls === 'disable' ? [] : meshChains(parts)),
      ...(port.mtls === 'strict' ? [] : [plainChain(parts)]),
      ...(port.mtls === 'permissive' ? [foreignTlsChain(parts)] : []),
    ],
    metadata: weft(
      port.mtlsOrigin ?? workload.origin,
      policyOrigins(port.authorization, port.rateLimits, [
        ...namedExternalLimits(limitersOf(port)),
        ...namedConcurrency(port.adaptiveConcurrency),
      ]),
    ),
  }
}

/** Whoever is asked about some of its calls. */
const limitersOf = ({ externalLimit, rules = [] }: InboundPort): readonly InboundPort['externalLimit'][] => [
  externalLimit,
  ...rules.map((rule) => rule.externalLimit),
]

interface Parts {
  readonly port: InboundPort
  readonly accessLog: boolean
  readonly trustDomain: string
  readonly tracing: CallTracing | undefined
  /** It has to be told what our own proxies say by themselves. */
  readonly envoy: boolean
}

/** Where plain text is taken as well the server of a TCP port may speak first. */
const inspection = ({ mtls, protocol }: InboundPort): ReturnType<typeof inspectTls> => {
  const serverMayBeFirst = mtls === 'permissive' && protocol === 'tcp'
  return inspectTls({ limitMs: serverMayBeFirst ? 1000 : 10_000, serverMayBeFirst })
}

const meshChains = (parts: Parts): readonly FilterChain[] => [
  ...(isHttp(parts.port.protocol) ? [meshChain('mesh-http', meshAlpn, 'http', httpFilters(parts, true))] : []),
  meshChain('mesh-tcp', meshTcpAlpn, 'tcp', rawFilters(parts)),
]

const meshChain = (name: string, marker: string, protocol: 'http' | 'tcp', filters: Filter[]): FilterChain => ({
  name,
  filterChainMatch: { transportProtocol: 'tls', applicationProtocols: [marker] },
  transportSocket: {
    name: tlsTransportSocket,
    configType: { case: 'typedConfig', value: renderDownstreamTls(protocol) },
  },
  filters,
})

const plainChain = (parts: Parts): FilterChain => ({
  name: 'plain',
  // DISABLE looks at nothing, so that there is nothing to match.
  ...(parts.port.mtls === 'disable' ? {} : { filterChainMatch: { transportProtocol: 'raw_buffer' } }),
  filters: isHttp(parts.port.protocol) ? httpFilters(parts) : rawFilters(parts),
})

const foreignTlsChain = (parts: Parts): FilterChain => ({
  name: 'foreign-tls',
  filterChainMatch: { transportProtocol: 'tls' },
  filters: rawFilters(parts),
})

/** Browsers, which cannot speak gRPC, may call too. */
const grpcWeb = {
  name: 'envoy.filters.http.grpc_web',
  configType: { case: 'typedConfig' as const, value: typed(GrpcWebSchema, {}) },
}

/** `mesh`: callers are proven members of it. */
function httpFilters({ port, accessLog, trustDomain, tracing, envoy }: Parts, mesh = false): Filter[] {
  const { rules, rateLimits = [], externalLimit } = port
  return [
    renderHttp({
      statPrefix: inboundListenerName(port),
      accessLog,
      tracing,
      ...(envoy && mesh ? { localReplies: programFaults } : {}),
      filters: [
        ...httpAuthorization(port),
        ...(rules === undefined
          ? renderRateLimits(rateLimits)
          : limitSlots([rateLimits, ...rules.map((rule) => rule.rateLimits)])),
        ...(rules === undefined ? renderExternalLimit(externalLimit) : limiterSlots(limitersOf(port))),
        ...renderAdaptiveConcurrency(port.adaptiveConcurrency),
        ...(port.protocol === 'grpc' ? [grpcWeb] : []),
      ],
      routes: renderInboundRoutes(port, { trustDomain, envoy }),
    }),
  ]
}

/**
 * Tells the caller's proxy what became of a request that the program did not answer: it got no byte of it, or it broke off. Source of the
 * flags: Envoy, access log, `%RESPONSE_FLAGS%`.
 */
const programFaults: MessageInitShape<typeof LocalReplyConfigSchema> = {
  mappers: [
    { flags: ['UF', 'UO'], value: 'not-processed' },
    { flags: ['UC', 'UR'], value: 'reset' },
  ].map(({ flags, value }) => ({
    filter: { filterSpecifier: { case: 'responseFlagFilter' as const, value: { flags } } },
    headersToAdd: [{ header: { key: upstreamFaultHeader, value } }],
  })),
}

const rawFilters = ({ port, accessLog }: Parts): Filter[] =>
  tcpFilters(port, {
    statPrefix: inboundListenerName(port),
    accessLog,
    to: { case: 'cluster', value: inboundClusterName(port) },
  })
