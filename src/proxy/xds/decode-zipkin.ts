import type { Any } from '@bufbuild/protobuf/wkt'
import {
  ZipkinConfigSchema,
  ZipkinConfig_CollectorEndpointVersion as Version,
  ZipkinConfig_TraceContextOption as ContextOption,
  type ZipkinConfig,
} from '../../xds/gen/envoy/config/trace/v3/zipkin_pb.ts'
import type { Collector, Tracing, ZipkinFormat } from '../config.ts'
import { decodeHttpCollector } from './decode-http-collector.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`collector_cluster collector_endpoint collector_hostname collector_endpoint_version
  collector_service trace_id_128bit shared_span_context split_spans_for_request trace_context_option`)

/** For one export. Envoy: runtime tracing.zipkin.request_timeout. */
const exportMs = 5000
const waiting = 1024

/** A tracer that speaks B3, and where its spans go. Source: envoy.config.trace.v3.ZipkinConfig. */
export function decodeZipkin(
  any: Any,
  path: string,
  refused: Refusals,
): Pick<Tracing, 'tracer' | 'exporter'> | undefined {
  const message = open(any, ZipkinConfigSchema, path, refused)
  if (message === undefined) return undefined
  knowOnly(ZipkinConfigSchema, message, known, path, refused)
  const sharesSpans = message.sharedSpanContext ?? true
  const { traceContextOption: option } = message
  if (option !== ContextOption.USE_B3 && option !== ContextOption.USE_B3_WITH_W3C_PROPAGATION)
    refused.add(join(path, 'trace_context_option'), 'expected USE_B3 or USE_B3_WITH_W3C_PROPAGATION')
  return {
    tracer: {
      kind: 'zipkin',
      wideIds: message.traceId128bit,
      sharesSpans,
      alwaysServer: message.splitSpansForRequest,
      alsoW3c: option === ContextOption.USE_B3_WITH_W3C_PROPAGATION,
    },
    exporter: {
      ...wayOf(message, path, refused),
      format: { kind: 'zipkin', encoding: encodingOf(message, path, refused), sharesSpans },
      mostWaiting: waiting,
    },
  }
}

/** A service counts before the older fields, as in Envoy. */
function wayOf(message: ZipkinConfig, path: string, refused: Refusals): Collector {
  const { collectorService, collectorCluster: cluster, collectorEndpoint: target, collectorHostname } = message
  if (collectorService !== undefined)
    return decodeHttpCollector(
      collectorService,
      join(path, 'collector_service'),
      { defaultMs: exportMs, mayBePath: true },
      refused,
    )
  if (cluster === '') refused.add(path, 'expected collector_cluster or collector_service: spans would go nowhere')
  if (!/^\/[\x21-\x7e]*$/.test(target))
    refused.add(join(path, 'collector_endpoint'), 'expected a path such as /api/v2/spans')
  if (/[^\x21-\x7e]/.test(collectorHostname)) refused.add(join(path, 'collector_hostname'), 'is no host name')
  return {
    cluster,
    protocol: 'http',
    authority: collectorHostname || cluster,
    path: target,
    timeoutMs: exportMs,
    headers: [],
  }
}

function encodingOf(
  { collectorEndpointVersion: version }: ZipkinConfig,
  path: string,
  refused: Refusals,
): ZipkinFormat['encoding'] {
  if (version === Version.HTTP_PROTO) return 'protobuf'
  if (version !== Version.HTTP_JSON)
    refused.add(join(path, 'collector_endpoint_version'), 'expected HTTP_JSON or HTTP_PROTO')
  return 'json'
}
