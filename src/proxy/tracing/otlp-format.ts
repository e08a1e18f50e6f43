// OTLP's few messages, written without a schema: a span is bytes from its end on, and costs no object per attribute.
// Source: opentelemetry-proto 1.11, trace/v1/trace.proto.

import { createProtoWriter, protoField } from '../../base/proto-writer.ts'
import type { OtlpFormat } from '../config.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'
import type { SpanFormat } from './span-format.ts'

/** Of all spans of one exporter. */
interface SpanOrigin {
  readonly resource: readonly SpanAttribute[]
  /** Undefined: it is not said. */
  readonly scope: { readonly name: string; readonly version: string } | undefined
}

const writer = createProtoWriter()

/** OTLP. `version`: of this program. */
export function otlpFormat(format: OtlpFormat, version: string): SpanFormat {
  const origin = originOf(format, version)
  return {
    contentType: 'application/x-protobuf',
    encode: encodeSpan,
    join: (spans) => encodeExport(origin, spans),
    batchSpans: 256,
    batchMs: 1000,
  }
}

/** A span as an element of `ScopeSpans.spans`: with its tag and its length. */
function encodeSpan(span: EndedSpan): Buffer {
  writer.begin()
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (span.state !== '') writer.text(3, span.state)
  if (span.parentId !== '') writer.hex(4, span.parentId)
  writer.text(5, span.name)
  writer.number(6, span.kind === 'server' ? 2 : 3)
  writer.nanoseconds(7, span.beganMs)
  writer.nanoseconds(8, span.endedMs)
  for (const attribute of span.attributes) writeAttribute(9, attribute)
  if (span.failed) writer.bytes(15, statusError)
  writer.fixed32(16, sampledFlag | hasRemoteFlag | (span.parentIsRemote ? isRemoteFlag : 0))
  return protoField(2, writer.take())
}

/** What all spans of an exporter have in common. Source: OpenTelemetry semantic conventions, "Resource". */
function originOf({ service, tellsSdk, tellsScope }: OtlpFormat, version: string): SpanOrigin {
  const resource: SpanAttribute[] = service === undefined ? [] : [['service.name', service]]
  if (tellsSdk)
    resource.push(
      ['telemetry.sdk.language', 'nodejs'],
      ['telemetry.sdk.name', 'weft'],
      ['telemetry.sdk.version', version],
    )
  return { resource, scope: tellsScope ? { name: 'weft', version } : undefined }
}

/** A whole `ExportTraceServiceRequest` from encoded spans. */
function encodeExport({ resource, scope }: SpanOrigin, spans: readonly Buffer[]): Buffer {
  writer.begin()
  for (const attribute of resource) writeAttribute(1, attribute)
  const ofResource = protoField(1, writer.take())
  writer.begin()
  if (scope !== undefined) {
    writer.text(1, scope.name)
    writer.text(2, scope.version)
  }
  const ofScope = scope === undefined ? [] : [protoField(1, writer.take())]
  return protoField(1, ofResource, protoField(2, ...ofScope, ...spans))
}

/** `Status { code: STATUS_CODE_ERROR }`. */
const statusError = Buffer.of(0x18, 2)
const sampledFlag = 0x01
const hasRemoteFlag = 0x100
const isRemoteFlag = 0x200

/** `KeyValue { key, value: AnyValue { string_value } }`. */
function writeAttribute(field: number, [key, value]: SpanAttribute): void {
  const attribute = writer.open(field)
  writer.text(1, key)
  const any = writer.open(2)
  writer.text(1, value)
  writer.close(any)
  writer.close(attribute)
}
