import { create, createFileRegistry, fromBinary, type Message } from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'

/** A span of Zipkin's second API, as its JSON has it. */
export interface ZipkinSpan {
  readonly traceId: string
  readonly parentId?: string
  readonly id: string
  readonly kind: 'SERVER' | 'CLIENT'
  readonly name?: string
  readonly timestamp: number
  readonly duration: number
  readonly localEndpoint: { readonly serviceName?: string; readonly ipv4?: string; readonly port: number }
  readonly annotations: readonly { readonly timestamp: number; readonly value: string }[]
  readonly tags: Readonly<Record<string, string>>
  readonly shared?: true
}

/** The spans of an export, whichever encoding it has. `readId`: what ids of spans (hex) mean in Protocol Buffers; absent: what they say. */
export function readZipkinSpans(
  body: Buffer,
  contentType: string,
  readId: (id: string) => string = (id) => id,
): ZipkinSpan[] {
  // Our own shape, which a test is about to compare anyway.
  if (contentType === 'application/json') return JSON.parse(body.toString()) as ZipkinSpan[]
  const { spans } = fromBinary(listOfSpans, body) as Message & { spans: readonly ProtoSpan[] }
  return spans.map((span) => ({
    traceId: hexOf(span.traceId),
    ...(span.parentId.length > 0 && { parentId: readId(hexOf(span.parentId)) }),
    id: readId(hexOf(span.id)),
    kind: span.kind === 1 ? ('CLIENT' as const) : ('SERVER' as const),
    ...(span.name !== '' && { name: span.name }),
    timestamp: Number(span.timestamp),
    duration: Number(span.duration),
    localEndpoint: {
      ...(span.localEndpoint.serviceName !== '' && { serviceName: span.localEndpoint.serviceName }),
      ipv4: span.localEndpoint.ipv4.join('.'),
      port: span.localEndpoint.port,
    },
    annotations: span.annotations.map(({ timestamp, value }) => ({ timestamp: Number(timestamp), value })),
    tags: span.tags,
    ...(span.shared && { shared: true as const }),
  }))
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface ProtoSpan {
  readonly traceId: Uint8Array
  readonly parentId: Uint8Array
  readonly id: Uint8Array
  readonly kind: number
  readonly name: string
  readonly timestamp: bigint
  readonly duration: bigint
  readonly localEndpoint: { readonly serviceName: string; readonly ipv4: Uint8Array; readonly port: number }
  readonly annotations: readonly { readonly timestamp: bigint; readonly value: string }[]
  readonly tags: Readonly<Record<string, string>>
  readonly shared: boolean
}

const field = (name: string, number: number, type: Type, more: object = {}) => ({
  name,
  number,
  type,
  label: Label.OPTIONAL,
  ...more,
})
const messages = (typeName: string) => ({ label: Label.REPEATED, typeName: `.zipkin.proto3.${typeName}` })

/** By the schema that Zipkin publishes. Source: openzipkin/zipkin-api, zipkin.proto. */
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: 'zipkin.proto',
        package: 'zipkin.proto3',
        syntax: 'proto3',
        messageType: [
          { name: 'ListOfSpans', field: [field('spans', 1, Type.MESSAGE, messages('Span'))] },
          {
            name: 'Endpoint',
            field: [
              field('service_name', 1, Type.STRING),
              field('ipv4', 2, Type.BYTES),
              field('ipv6', 3, Type.BYTES),
              field('port', 4, Type.INT32),
            ],
          },
          { name: 'Annotation', field: [field('timestamp', 1, Type.FIXED64), field('value', 2, Type.STRING)] },
          {
            name: 'Span',
            nestedType: [
              {
                name: 'TagsEntry',
                options: { mapEntry: true },
                field: [field('key', 1, Type.STRING), field('value', 2, Type.STRING)],
              },
            ],
            field: [
              field('trace_id', 1, Type.BYTES),
              field('parent_id', 2, Type.BYTES),
              field('id', 3, Type.BYTES),
              field('kind', 4, Type.INT32),
              field('name', 5, Type.STRING),
              field('timestamp', 6, Type.FIXED64),
              field('duration', 7, Type.UINT64),
              field('local_endpoint', 8, Type.MESSAGE, { typeName: '.zipkin.proto3.Endpoint' }),
              field('annotations', 10, Type.MESSAGE, messages('Annotation')),
              field('tags', 11, Type.MESSAGE, messages('Span.TagsEntry')),
              field('debug', 12, Type.BOOL),
              field('shared', 13, Type.BOOL),
            ],
          },
        ],
      },
    ],
  }),
)
const found = registry.getMessage('zipkin.proto3.ListOfSpans')
if (found === undefined) throw new Error('the schema of Zipkin does not name its list')
const listOfSpans = found
