import { createProtoWriter } from '../../base/proto-writer.ts'
import type { JsonFields, JsonFormat, LogEntry, ResourceField, ResourceValue } from '../config.ts'
import { tagReader } from '../format/custom-tags.ts'
import type { Known } from '../format/known.ts'
import { compileText } from '../format/value-of.ts'

const writer = createProtoWriter()

/**
 * Compiles a record of OTLP, as an element of `ScopeLogs.log_records`. Done once per configuration. Source: opentelemetry-proto 1.11,
 * logs/v1/logs.proto; Envoy, open_telemetry access logger.
 */
export function compileRecord({
  body,
  attributes,
  tags,
}: LogEntry & { readonly kind: 'otlp' }): (known: Known) => Buffer {
  const writeBody = body && compileValue(body)
  const writeAttributes = compileFields(attributes)
  const tagsOf = tagReader(tags)
  return (known) => {
    writer.begin()
    const record = writer.open(2)
    if (known.end !== undefined) writer.nanoseconds(1, known.end.beganMs)
    writeBody?.(5, known)
    writeAttributes(6, known)
    for (const [tag, value] of tagsOf(known.call)) writeText(6, tag, value)
    const ids = known.trace.span?.ids
    if (ids !== undefined) {
      writer.hex(9, ids.traceId)
      writer.hex(10, ids.spanId)
    }
    writer.close(record)
    return writer.take()
  }
}

/** Writes a value of a message as its field. */
type Write = (field: number, known: Known) => void

/** Source: opentelemetry-proto, AnyValue. */
function compileValue(format: JsonFormat): Write {
  switch (format.kind) {
    case 'value': {
      const text = compileText(format.parts, { absent: '-', wire: false })
      return within((known) => writer.text(1, text(known)))
    }
    case 'list': {
      const items = format.items.map(compileValue)
      return within((known) => {
        const list = writer.open(5)
        for (const write of items) write(1, known)
        writer.close(list)
      })
    }
    case 'object': {
      const fields = compileFields(format.fields)
      return within((known) => {
        const list = writer.open(6)
        fields(1, known)
        writer.close(list)
      })
    }
    case 'constant':
      return within(() => writer.text(1, String(format.value)))
  }
}

/** Source: opentelemetry-proto, KeyValue. */
function compileFields(fields: JsonFields): Write {
  const compiled = fields.map(([name, value]) => [name, compileValue(value)] as const)
  return (field, known) => {
    for (const [name, write] of compiled) {
      const pair = writer.open(field)
      writer.text(1, name)
      write(2, known)
      writer.close(pair)
    }
  }
}

const within =
  (write: (known: Known) => void): Write =>
  (field, known) => {
    const value = writer.open(field)
    write(known)
    writer.close(value)
  }

function writeText(field: number, name: string, text: string): void {
  const pair = writer.open(field)
  writer.text(1, name)
  const value = writer.open(2)
  writer.text(1, text)
  writer.close(value)
  writer.close(pair)
}

/** A `Resource`: what all records of a log have in common. The last word on a name counts. */
export function encodeResource(fields: readonly ResourceField[]): Buffer {
  writer.begin()
  const resource = writer.open(1)
  for (const one of new Map(fields)) writeResourceField(1, one)
  writer.close(resource)
  return writer.take()
}

function writeResourceField(field: number, [name, value]: ResourceField): void {
  const pair = writer.open(field)
  writer.text(1, name)
  writeResourceValue(2, value)
  writer.close(pair)
}

function writeResourceValue(field: number, value: ResourceValue): void {
  const any = writer.open(field)
  switch (value.kind) {
    case 'text':
      writer.text(1, value.value)
      break
    case 'truth':
      writer.number(2, value.value ? 1 : 0)
      break
    case 'whole':
      writer.number(3, value.value)
      break
    case 'number':
      writer.double(4, value.value)
      break
    case 'list': {
      const list = writer.open(5)
      for (const item of value.items) writeResourceValue(1, item)
      writer.close(list)
      break
    }
    case 'object': {
      const list = writer.open(6)
      for (const one of value.fields) writeResourceField(1, one)
      writer.close(list)
      break
    }
  }
  writer.close(any)
}
