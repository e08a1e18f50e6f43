// OTLP's few messages, written without a schema: a span is bytes from its end on, and costs no object per attribute.
// Source: opentelemetry-proto 1.11, trace/v1/trace.proto.

import type { OtlpFormat } from '../config.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'
import { byteCount, element, writer } from './proto-writer.ts'
import type { SpanFormat } from './span-format.ts'

/** Of all spans of one exporter. */
interface SpanOrigin {
  readonly resource: readonly SpanAttribute[]
  /** Undefined: it is not said. */
  readonly scope: { readonly name: string; readonly version: string } | undefined
}

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
  writer.fixed64(7, nanosecondsOf(span.beganMs))
  writer.fixed64(8, nanosecondsOf(span.endedMs))
  for (const attribute of span.attributes) writeAttribute(9, attribute)
  if (span.failed) writer.message(15, statusError)
  writer.fixed32(16, sampledFlag | hasRemoteFlag | (span.parentIsRemote ? isRemoteFlag : 0))
  return element(2, writer.take())
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
  const ofResource = element(1, writer.take())
  writer.begin()
  if (scope !== undefined) {
    writer.text(1, scope.name)
    writer.text(2, scope.version)
  }
  const ofScope = scope === undefined ? empty : element(1, writer.take())
  const scoped = Buffer.concat([ofScope, ...spans])
  return element(1, Buffer.concat([ofResource, element(2, scoped)]))
}

const empty = Buffer.alloc(0)
/** `Status { code: STATUS_CODE_ERROR }`. */
const statusError = Buffer.of(0x18, 2)
const sampledFlag = 0x01
const hasRemoteFlag = 0x100
const isRemoteFlag = 0x200

function nanosecondsOf(ms: number): bigint {
  const whole = Math.floor(ms)
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6))
}

/** `KeyValue { key, value: AnyValue { string_value } }`. */
function writeAttribute(field: number, [key, value]: SpanAttribute): void {
  const keyBytes = Buffer.byteLength(key)
  const valueBytes = Buffer.byteLength(value)
  const inner = 1 + byteCount(valueBytes) + valueBytes
  writer.tag(field, 2)
  writer.varint(1 + byteCount(keyBytes) + keyBytes + 1 + byteCount(inner) + inner)
  writer.text(1, key)
  writer.tag(2, 2)
  writer.varint(inner)
  writer.text(1, value)
}
