// A collector as others write them: a server of grpc-js, and one of node:http, that take OTLP and keep what came.
import { create, fromBinary } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import { systemClock } from '../../../src/base/clock.ts'
import { hostedService } from '../../../src/control/serve/service.ts'
import {
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
  TraceService,
  type ExportTraceServiceRequest,
  type ExportTraceServiceResponse,
} from '../../../src/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts'
import type { KeyValue } from '../../../src/xds/gen/opentelemetry/proto/common/v1/common_pb.ts'
import { listenGrpc, listenHttp } from './listening.ts'

/** One span as it came, ids in hex. */
export interface CollectedSpan {
  readonly resource: Readonly<Record<string, unknown>>
  readonly scope: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly kind: number
  readonly flags: number
  readonly state: string
  readonly status: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Collector {
  /** Of gRPC. */
  readonly port: number
  /** Of OTLP/HTTP. */
  readonly httpPort: number
  /** All that came by now; may be emptied. */
  readonly spans: CollectedSpan[]
  /** Metadata, or fields and path, of each export. */
  readonly exports: Readonly<Record<string, unknown>>[]
  /** From now on gRPC exports are answered so late, or refused. */
  behave(how: { readonly delayMs?: number; readonly refuse?: boolean }): void
  stop(): void
}

/** Listens on loopback; without ports on free ones. */
export async function startCollector(port = 0, httpPort = 0): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const exports: Record<string, unknown>[] = []
  let how: { readonly delayMs?: number; readonly refuse?: boolean } = {}
  const { definition } = hostedService(TraceService, { export: () => Promise.reject(new Error('unused')) })
  const server = new grpc.Server()
  server.addService(definition, {
    export(
      { request, metadata }: grpc.ServerUnaryCall<ExportTraceServiceRequest, ExportTraceServiceResponse>,
      answer: grpc.sendUnaryData<ExportTraceServiceResponse>,
    ) {
      if (how.refuse === true) return answer({ code: grpc.status.UNAVAILABLE, details: 'asked to refuse' })
      exports.push(metadata.getMap())
      spans.push(...spansOf(request))
      const reply = (): void => answer(null, create(ExportTraceServiceResponseSchema))
      if (how.delayMs === undefined) reply()
      else systemClock.after(how.delayMs, reply, { background: true })
    },
  })
  const bound = await listenGrpc(server, port)
  const web = await listenHttp(httpPort, ({ fields, body }) => {
    exports.push(fields)
    spans.push(...spansOf(fromBinary(ExportTraceServiceRequestSchema, body)))
    return { status: 200, contentType: 'application/x-protobuf' }
  })
  return {
    port: bound,
    httpPort: web.port,
    spans,
    exports,
    behave: (next) => void (how = next),
    stop() {
      server.forceShutdown()
      web.stop()
    },
  }
}

/** By the schemas that OpenTelemetry publishes. */
export const spansOf = ({ resourceSpans }: ExportTraceServiceRequest): CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        resource: attributesOf(resource?.attributes ?? []),
        scope: scope === undefined ? '' : `${scope.name} ${scope.version}`,
        traceId: Buffer.from(span.traceId).toString('hex'),
        spanId: Buffer.from(span.spanId).toString('hex'),
        parentId: Buffer.from(span.parentSpanId).toString('hex'),
        name: span.name,
        kind: span.kind,
        flags: span.flags,
        state: span.traceState,
        status: span.status?.code ?? 0,
        startNs: span.startTimeUnixNano,
        endNs: span.endTimeUnixNano,
        attributes: attributesOf(span.attributes),
      })),
    ),
  )

const attributesOf = (list: readonly KeyValue[]): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value?.value.value]))
