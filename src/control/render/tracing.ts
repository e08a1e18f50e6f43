import type { MessageInitShape } from '@bufbuild/protobuf'
import { OpenTelemetryConfigSchema } from '../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type { HttpConnectionManager_TracingSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { CustomTagSchema } from '../../xds/gen/envoy/type/tracing/v3/custom_tag_pb.ts'
import type { MeshTracing, Model, TraceTag, Workload } from '../model/model.ts'
import { authorityOf, clusterOf } from './backend-cluster.ts'
import { duration, typed } from './parts.ts'

/** Spans of one workload's calls. */
export interface CallTracing extends MeshTracing {
  /** The workload's, as spans say it. */
  readonly caller: string
}

/** Undefined: there are none. A collector's own sidecar makes none: each would be exported by a call that makes another. */
export function tracingOf({ namespace, name, service }: Workload, { mesh, services }: Model): CallTracing | undefined {
  const { tracing } = mesh
  if (tracing === undefined) return undefined
  const ports = services.get(tracing.service)?.ports ?? []
  const own = `${namespace}/${name}`
  const takesSpans = ports.some(
    ({ port, endpoints }) => port === tracing.port && endpoints.some(({ workload }) => workload === own),
  )
  return takesSpans ? undefined : { ...tracing, caller: service }
}

const exportMs = 10_000

/**
 * `edge`: strangers come here, who do not decide what is traced, and this proxy is a hop of its own: what comes in is a span, and what goes
 * on another one below it.
 */
export const renderTracing = (
  tracing: CallTracing,
  edge: boolean,
): MessageInitShape<typeof HttpConnectionManager_TracingSchema> => ({
  ...(edge ? { clientSampling: { value: 0 }, spawnUpstreamSpan: true } : {}),
  randomSampling: { value: tracing.samplingPercent },
  customTags: tracing.tags.map(renderTag),
  provider: {
    name: 'envoy.tracers.opentelemetry',
    configType: {
      case: 'typedConfig',
      value: typed(OpenTelemetryConfigSchema, { serviceName: tracing.caller, ...exporterOf(tracing) }),
    },
  },
})

function exporterOf(tracing: CallTracing): MessageInitShape<typeof OpenTelemetryConfigSchema> {
  const cluster = clusterOf(tracing)
  const authority = authorityOf(tracing)
  const timeout = duration(exportMs)
  if (tracing.protocol === 'http')
    return {
      httpService: {
        httpUri: {
          uri: `http://${authority}/v1/traces`,
          httpUpstreamType: { case: 'cluster', value: cluster },
          timeout,
        },
      },
    }
  const target = { case: 'envoyGrpc' as const, value: { clusterName: cluster, authority } }
  return { grpcService: { targetSpecifier: target, timeout } }
}

function renderTag(one: TraceTag): MessageInitShape<typeof CustomTagSchema> {
  const { tag } = one
  if (one.kind === 'text') return { tag, type: { case: 'literal', value: { value: one.value } } }
  return { tag, type: { case: 'requestHeader', value: { name: one.name, defaultValue: one.otherwise } } }
}
