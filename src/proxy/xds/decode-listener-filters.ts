import { ProxyProtocolConfig_Version as Version } from '../../xds/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import type { ListenerFilter } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ProxyProtocolSchema } from '../../xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts'
import type { Listener, ProxyProtocolIn } from '../config.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const types = 'type.googleapis.com/envoy.extensions.filters.listener.'
const tlsInspector = `${types}tls_inspector.v3.TlsInspector`
const httpInspector = `${types}http_inspector.v3.HttpInspector`
const originalDst = `${types}original_dst.v3.OriginalDst`
const proxyProtocol = `${types}proxy_protocol.v3.ProxyProtocol`

/** What is looked at before a filter chain is chosen. The options of the inspectors (fingerprints, buffer sizes) change nothing of that. */
export function decodeListenerFilters(
  filters: readonly ListenerFilter[],
  refused: Refusals,
): Pick<Listener, 'inspectTls' | 'inspectHttp' | 'proxyProtocol' | 'restoresDestination'> {
  let inspectTls = false
  let inspectHttp = false
  let restoresDestination = false
  let header: ProxyProtocolIn | undefined
  for (const [index, { name, configType, filterDisabled }] of filters.entries()) {
    const path = `listener_filters[${index}]`
    if (filterDisabled !== undefined) refused.add(`${path}.filter_disabled`, 'is not supported')
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    if (any?.typeUrl === tlsInspector) inspectTls = true
    else if (any?.typeUrl === httpInspector) inspectHttp = true
    else if (any?.typeUrl === originalDst) restoresDestination = true
    else if (any?.typeUrl === proxyProtocol) {
      if (inspectTls || inspectHttp)
        refused.add(path, `${name} must stand before tls_inspector and http_inspector: its header comes first`)
      if (header !== undefined) refused.add(path, `${name} is there twice`)
      header = decodeProxyProtocol(any, path, refused)
    } else refused.add(path, `${name} is not supported`)
  }
  return {
    inspectTls,
    ...(inspectHttp && { inspectHttp }),
    ...(restoresDestination && { restoresDestination }),
    ...(header === undefined ? {} : { proxyProtocol: header }),
  }
}

const fields = fieldNames('allow_requests_without_proxy_protocol disallowed_versions stat_prefix')

function decodeProxyProtocol(any: Parameters<typeof open>[0], path: string, refused: Refusals): ProxyProtocolIn {
  const filter = open(any, ProxyProtocolSchema, path, refused)
  if (filter === undefined) return { optional: false, versions: [] }
  knowOnly(ProxyProtocolSchema, filter, fields, path, refused)
  const allowed = ([1, 2] as const).filter(
    (one) => !filter.disallowedVersions.includes(one === 1 ? Version.V1 : Version.V2),
  )
  if (allowed.length === 0) refused.add(join(path, 'disallowed_versions'), 'leaves no version')
  return { optional: filter.allowRequestsWithoutProxyProtocol, versions: allowed }
}
