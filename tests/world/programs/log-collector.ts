// A log server as others write them: grpc-js with Envoy's AccessLogService and OTLP's LogsService, and node:http for OTLP/HTTP. Keeps what came.
import { create, fromBinary, toJson, type JsonObject } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import { hostedService } from '../../../src/control/serve/service.ts'
import {
  AccessLogService,
  StreamAccessLogsMessageSchema,
  type StreamAccessLogsMessage,
} from '../../../src/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import {
  ExportLogsServiceRequestSchema,
  ExportLogsServiceResponseSchema,
  LogsService,
  type ExportLogsServiceRequest,
  type ExportLogsServiceResponse,
} from '../../../src/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts'
import { listenGrpc, listenHttp } from './listening.ts'

/** An entry of Envoy's service as JSON, and the log that it belongs to. */
export interface ServedEntry {
  readonly log: string
  readonly kind: 'http' | 'tcp'
  readonly entry: JsonObject
}

/** A record of OTLP as JSON. */
export interface ServedRecord {
  readonly resource: JsonObject
  readonly scope: JsonObject | undefined
  readonly record: JsonObject
}

export interface LogCollector {
  /** Of gRPC. */
  readonly port: number
  /** Of OTLP/HTTP. */
  readonly httpPort: number
  /** All that came by now; may be emptied. */
  readonly entries: ServedEntry[]
  readonly records: ServedRecord[]
  /** The first message of each stream, without its entries. */
  readonly streams: JsonObject[]
  /** Fields and path of each export of OTLP/HTTP. */
  readonly posts: Readonly<Record<string, unknown>>[]
  /** Streams that are open. */
  readonly open: number
  /** From now on streams and exports are refused; those that are open stay. */
  refuse(yes: boolean): void
  /** From now on nothing is read of what comes. */
  stall(yes: boolean): void
  /** Ends the streams that are open, with an error. */
  breakStreams(): void
  stop(): void
}

/** Listens on loopback. */
export async function startLogCollector(port = 0): Promise<LogCollector> {
  const entries: ServedEntry[] = []
  const records: ServedRecord[] = []
  const streams: JsonObject[] = []
  const posts: Record<string, unknown>[] = []
  const open = new Set<grpc.ServerDuplexStream<StreamAccessLogsMessage, unknown>>()
  let refuses = false
  let stalls = false
  const unused = (): never => {
    throw new Error('unused')
  }
  const als = hostedService(AccessLogService, { streamAccessLogs: unused })
  const otlp = hostedService(LogsService, { export: unused })
  const server = new grpc.Server()
  server.addService(als.definition, {
    streamAccessLogs(call: grpc.ServerDuplexStream<StreamAccessLogsMessage, unknown>) {
      call.on('error', () => {})
      if (refuses) return void call.emit('error', refusal())
      open.add(call)
      call.once('close', () => open.delete(call))
      call.on('end', () => {
        open.delete(call)
        call.end()
      })
      let log: string | undefined
      call.on('data', (message: StreamAccessLogsMessage) => {
        const { httpLogs, tcpLogs, ...head } = toJson(StreamAccessLogsMessageSchema, message) as JsonObject
        if (log === undefined) streams.push(head)
        log ??= message.identifier?.logName ?? ''
        for (const kind of ['http', 'tcp'] as const) {
          const list = (kind === 'http' ? httpLogs : tcpLogs) as { logEntry?: JsonObject[] } | undefined
          for (const entry of list?.logEntry ?? []) entries.push({ log, kind, entry })
        }
      })
      if (stalls) call.pause()
    },
  })
  const take = (request: ExportLogsServiceRequest): void => {
    for (const { resource, scopeLogs = [] } of (
      toJson(ExportLogsServiceRequestSchema, request) as unknown as ExportJson
    ).resourceLogs ?? [])
      for (const { scope, logRecords = [] } of scopeLogs)
        for (const record of logRecords) records.push({ resource: resource ?? {}, scope, record })
  }
  server.addService(otlp.definition, {
    export(
      { request }: grpc.ServerUnaryCall<ExportLogsServiceRequest, ExportLogsServiceResponse>,
      answer: grpc.sendUnaryData<ExportLogsServiceResponse>,
    ) {
      if (refuses) return answer(refusal())
      if (stalls) return
      take(request)
      answer(null, create(ExportLogsServiceResponseSchema))
    },
  })
  const bound = await listenGrpc(server, port)
  const web = await listenHttp(0, ({ fields, body }) => {
    posts.push(fields)
    if (refuses) return { status: 503 }
    take(fromBinary(ExportLogsServiceRequestSchema, body))
    return { status: 200, contentType: 'application/x-protobuf' }
  })
  return {
    port: bound,
    httpPort: web.port,
    entries,
    records,
    streams,
    posts,
    get open() {
      return open.size
    },
    refuse: (yes) => void (refuses = yes),
    stall(yes) {
      stalls = yes
      for (const one of open) {
        if (yes) one.pause()
        else one.resume()
      }
    },
    breakStreams() {
      for (const one of open) one.emit('error', refusal())
    },
    stop() {
      server.forceShutdown()
      web.stop()
    },
  }
}

const refusal = (): Error & { code: grpc.status } =>
  Object.assign(new Error('asked to refuse'), { code: grpc.status.UNAVAILABLE, details: 'asked to refuse' })

interface ExportJson {
  readonly resourceLogs?: readonly {
    readonly resource?: JsonObject
    readonly scopeLogs?: readonly { readonly scope?: JsonObject; readonly logRecords?: readonly JsonObject[] }[]
  }[]
}
