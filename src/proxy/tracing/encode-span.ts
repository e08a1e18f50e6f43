// OTLP's few messages, written without a schema: a span is bytes from its end on, and costs no object per attribute.
// Source: opentelemetry-proto 1.11, trace/v1/trace.proto; Protocol Buffers, "Encoding".

/** What a span says, in the end. Attributes are texts, as Envoy writes them. */
export interface EndedSpan {
  /** In hex; "": it has no parent. */
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  /** The parent is another process's. */
  readonly parentIsRemote: boolean
  readonly state: string
  readonly name: string
  readonly kind: 'server' | 'client'
  /** Milliseconds since the epoch, with fractions. */
  readonly beganMs: number
  readonly endedMs: number
  readonly failed: boolean
  readonly attributes: readonly SpanAttribute[]
}

/** Name and value. */
export type SpanAttribute = readonly [key: string, value: string]

/** Of all spans of one exporter. */
export interface SpanOrigin {
  readonly resource: readonly SpanAttribute[]
  /** Undefined: it is not said. */
  readonly scope: { readonly name: string; readonly version: string } | undefined
}

/** A span as an element of `ScopeSpans.spans`: with its tag and its length. */
export function encodeSpan(span: EndedSpan): Buffer {
  writer.begin()
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (span.state !== '') writer.text(3, span.state)
  if (span.parentId !== '') writer.hex(4, span.parentId)
  writer.text(5, span.name)
  writer.number(6, span.kind === 'server' ? 2 : 3)
  writer.time(7, span.beganMs)
  writer.time(8, span.endedMs)
  for (const attribute of span.attributes) writer.attribute(9, attribute)
  if (span.failed) writer.message(15, statusError)
  writer.flags(16, sampledFlag | hasRemoteFlag | (span.parentIsRemote ? isRemoteFlag : 0))
  return element(2, writer.take())
}

/** A whole `ExportTraceServiceRequest` from encoded spans. */
export function encodeExport({ resource, scope }: SpanOrigin, spans: readonly Buffer[]): Buffer {
  writer.begin()
  for (const attribute of resource) writer.attribute(1, attribute)
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

const byteCount = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** A length-delimited field. */
function element(field: number, content: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(1 + byteCount(content.length) + content.length)
  bytes[0] = (field << 3) | 2
  let at = 1
  let rest = content.length
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
  bytes[at++] = rest
  content.copy(bytes, at)
  return bytes
}

/** One for all: it is used from its beginning to its end in one go. */
const writer = {
  bytes: Buffer.allocUnsafeSlow(4096),
  at: 0,
  begin(): void {
    this.at = 0
  },
  take(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at))
  },
  room(more: number): void {
    if (this.at + more <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.at + more))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  },
  varint(value: number): void {
    this.room(10)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) | 0x80
    this.bytes[this.at++] = rest
  },
  tag(field: number, type: number): void {
    this.varint((field << 3) | type)
  },
  number(field: number, value: number): void {
    this.tag(field, 0)
    this.varint(value)
  },
  hex(field: number, value: string): void {
    this.tag(field, 2)
    this.varint(value.length / 2)
    this.room(value.length / 2)
    this.at += this.bytes.write(value, this.at, 'hex')
  },
  text(field: number, value: string): void {
    const length = Buffer.byteLength(value)
    this.tag(field, 2)
    this.varint(length)
    this.room(length)
    this.at += this.bytes.write(value, this.at, 'utf8')
  },
  message(field: number, content: Buffer): void {
    this.tag(field, 2)
    this.varint(content.length)
    this.room(content.length)
    this.at += content.copy(this.bytes, this.at)
  },
  time(field: number, ms: number): void {
    this.tag(field, 1)
    this.room(8)
    const whole = Math.floor(ms)
    this.bytes.writeBigUInt64LE(BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6)), this.at)
    this.at += 8
  },
  flags(field: number, value: number): void {
    this.tag(field, 5)
    this.room(4)
    this.at = this.bytes.writeUInt32LE(value, this.at)
  },
  /** `KeyValue { key, value: AnyValue { string_value } }`. */
  attribute(field: number, [key, value]: SpanAttribute): void {
    const keyBytes = Buffer.byteLength(key)
    const valueBytes = Buffer.byteLength(value)
    const inner = 1 + byteCount(valueBytes) + valueBytes
    this.tag(field, 2)
    this.varint(1 + byteCount(keyBytes) + keyBytes + 1 + byteCount(inner) + inner)
    this.text(1, key)
    this.tag(2, 2)
    this.varint(inner)
    this.text(1, value)
  },
}
