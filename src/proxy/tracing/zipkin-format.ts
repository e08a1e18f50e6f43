import { parseIp } from '../../base/ip-prefix.ts'
import { createProtoWriter, protoField } from '../../base/proto-writer.ts'
import type { ZipkinFormat } from '../config.ts'
import type { EndedSpan, SpanAttribute } from './ended-span.ts'
import type { SpanFormat } from './span-format.ts'

/** This proxy, as its spans tell of it. */
export interface ZipkinEndpoint {
  /** "": it is not said. */
  readonly service: string
  /** IPv4. */
  readonly address: string
}

/**
 * Zipkin's second API, as JSON or Protocol Buffers. Source: zipkin2-api.yaml and zipkin.proto (openzipkin/zipkin-api), as Envoy fills
 * them: `JsonV2Serializer`, `ProtobufSerializer`, `ReporterImpl`. One difference: Envoy turns the bytes of span ids around in Protocol
 * Buffers, and we do not.
 */
export function zipkinFormat({ encoding, sharesSpans }: ZipkinFormat, endpoint: ZipkinEndpoint): SpanFormat {
  const batches = { batchSpans: 5, batchMs: 5000 }
  if (encoding === 'json')
    return {
      ...batches,
      contentType: 'application/json',
      encode: (span) => Buffer.from(JSON.stringify(spanObject(span, endpoint, sharesSpans))),
      join: (spans) => Buffer.from(`[${spans.join(',')}]`),
    }
  const place = endpointMessage(endpoint)
  return {
    ...batches,
    contentType: 'application/x-protobuf',
    encode: (span) => spanMessage(span, place, sharesSpans),
    join: (spans) => Buffer.concat(spans),
  }
}

const writer = createProtoWriter()

const toldTags = ({ attributes }: EndedSpan): readonly SpanAttribute[] => attributes.filter(([, value]) => value !== '')

const microseconds = (ms: number): number => Math.floor(ms * 1000)

/** In µs. */
interface SpanTimes {
  readonly timestamp: number
  readonly duration: number
  /** When it was over, by its name: "server send", or "client receive". */
  readonly over: { readonly timestamp: number; readonly value: 'ss' | 'cr' }
}

function timesOf({ kind, beganMs, endedMs }: EndedSpan): SpanTimes {
  const timestamp = microseconds(beganMs)
  const end = microseconds(endedMs)
  return {
    timestamp,
    duration: Math.max(0, end - timestamp),
    over: { timestamp: end, value: kind === 'server' ? 'ss' : 'cr' },
  }
}

function spanObject(span: EndedSpan, { service, address }: ZipkinEndpoint, sharesSpans: boolean): object {
  const { timestamp, duration, over } = timesOf(span)
  const isServer = span.kind === 'server'
  return {
    traceId: span.traceId,
    ...(span.parentId !== '' && { parentId: span.parentId }),
    id: span.spanId,
    kind: isServer ? 'SERVER' : 'CLIENT',
    ...(span.name !== '' && { name: span.name }),
    timestamp,
    duration,
    localEndpoint: {
      ...(service !== '' && { serviceName: service }),
      ipv4: address,
      port: 0,
    },
    annotations: [over],
    tags: Object.fromEntries(toldTags(span)),
    ...(isServer && sharesSpans && { shared: true }),
  }
}

/** An element of `ListOfSpans.spans`. */
function spanMessage(span: EndedSpan, endpoint: Buffer, sharesSpans: boolean): Buffer {
  const { timestamp, duration, over } = timesOf(span)
  const isServer = span.kind === 'server'
  writer.begin()
  writer.fixed64(1, BigInt(over.timestamp))
  writer.text(2, over.value)
  const annotation = writer.take()
  const tags = toldTags(span).map(tagMessage)
  writer.begin()
  writer.hex(1, span.traceId)
  if (span.parentId !== '') writer.hex(2, span.parentId)
  writer.hex(3, span.spanId)
  writer.number(4, isServer ? 2 : 1)
  if (span.name !== '') writer.text(5, span.name)
  writer.fixed64(6, BigInt(timestamp))
  if (duration > 0) writer.number(7, duration)
  writer.bytes(8, endpoint)
  writer.bytes(10, annotation)
  for (const tag of tags) writer.bytes(11, tag)
  if (isServer && sharesSpans) writer.number(13, 1)
  return protoField(1, writer.take())
}

function tagMessage([name, value]: SpanAttribute): Buffer {
  writer.begin()
  writer.text(1, name)
  writer.text(2, value)
  return writer.take()
}

function endpointMessage({ service, address }: ZipkinEndpoint): Buffer {
  writer.begin()
  if (service !== '') writer.text(1, service)
  writer.bytes(2, Buffer.from(parseIp(address) ?? []))
  return writer.take()
}
