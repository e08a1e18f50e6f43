import { createProtoWriter } from '../../base/proto-writer.ts'
import { readWireText } from '../../base/string-match.ts'
import type { LogEntry } from '../config.ts'
import { tagReader } from '../format/custom-tags.ts'
import type { Known } from '../format/known.ts'
import { compileCommand, type ValueOf } from '../format/value-of.ts'
import { headersSize, type Headers } from '../http/headers.ts'
import { isGrpc } from '../http/service.ts'
import { writeCommon } from './log-entry-common.ts'
import { compileRecord } from './log-record.ts'

/** Compiles what a server is told of one call or connection: an element of its list of entries, encoded. Done once per configuration. */
export function compileEntry(entry: LogEntry): (known: Known) => Buffer {
  switch (entry.kind) {
    case 'http':
      return compileHttp(entry)
    case 'tcp':
      return compileTcp(entry)
    case 'otlp':
      return compileRecord(entry)
  }
}

const writer = createProtoWriter()

/** Source: envoy.data.accesslog.v3.TCPAccessLogEntry. */
function compileTcp({ tags }: LogEntry & { readonly kind: 'tcp' }): (known: Known) => Buffer {
  const tagsOf = tagReader(tags)
  return (known) => {
    writer.begin()
    const entry = writer.open(1)
    writeCommon(writer, known, tagsOf)
    const connection = writer.open(2)
    count(1, known.end?.bytesReceived)
    count(2, known.end?.bytesSent)
    writer.close(connection)
    writer.close(entry)
    return writer.take()
  }
}

/** Source: envoy.data.accesslog.v3.HTTPAccessLogEntry. */
function compileHttp(said: LogEntry & { readonly kind: 'http' }): (known: Known) => Buffer {
  const tagsOf = tagReader(said.tags)
  const requestFields = said.requestHeaders.map((name) =>
    fieldOf(name, ({ call }) => call?.headers, compileCommand({ kind: 'request-header', names: [name] }, false)),
  )
  const replyFields = said.responseHeaders.map((name) =>
    fieldOf(name, ({ reply }) => reply?.headers, compileCommand({ kind: 'response-header', names: [name] }, false)),
  )
  const trailerFields = said.responseTrailers.map((name) =>
    fieldOf(name, ({ end }) => end?.trailers, compileCommand({ kind: 'response-trailer', names: [name] }, false)),
  )
  return (known) => {
    const { call } = known
    writer.begin()
    const entry = writer.open(1)
    writeCommon(writer, known, tagsOf)
    if (call !== undefined) writer.number(2, versions[call.protocol])
    const request = writer.open(3)
    writeRequest(known)
    for (const write of requestFields) write(13, known)
    writer.close(request)
    const response = writer.open(4)
    writeResponse(known)
    for (const write of replyFields) write(4, known)
    for (const write of trailerFields) write(5, known)
    writer.close(response)
    writer.close(entry)
    return writer.take()
  }
}

/** Source: HTTPAccessLogEntry.HTTPVersion. */
const versions = { 'http/1.0': 1, 'http/1.1': 2, h2: 3 } as const

/** Source: envoy.config.core.v3.RequestMethod. */
const methods: Readonly<Record<string, number>> = {
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  CONNECT: 6,
  OPTIONS: 7,
  TRACE: 8,
  PATCH: 9,
}

const requestTexts: readonly (readonly [field: number, find: ValueOf])[] = (
  [
    [2, ':scheme'],
    [3, ':authority'],
    [5, ':path'],
    [6, 'user-agent'],
    [7, 'referer'],
    [8, 'x-forwarded-for'],
    [9, 'x-request-id'],
    [10, 'x-envoy-original-path'],
  ] as const
).map(([field, name]) => [field, compileCommand({ kind: 'request-header', names: [name] }, false)])

/** Source: HTTPRequestProperties. What the codecs have written and read besides is not counted here. */
function writeRequest(known: Known): void {
  const { call, end } = known
  if (call !== undefined) {
    const { method, path, authority, headers, body } = call
    const number = methods[method]
    if (number !== undefined) writer.number(1, number)
    for (const [field, find] of requestTexts) text(field, find(known))
    const scheme = call.peer.tls ? 'https' : 'http'
    const pseudo = pseudoNames + method.length + scheme.length + path.length + authority.length
    count(11, pseudo + headersSize(headers) + lengthSize(body.length) + (isGrpc(call) ? teSize : 0))
  }
  count(12, end?.bytesReceived)
}

const pseudoNames = ':method:scheme:path:authority'.length
/** What the codecs take off and put on again. */
const teSize = 'te'.length + 'trailers'.length
const lengthSize = (length: number | undefined): number =>
  length === undefined || length === 0 ? 0 : 'content-length'.length + String(length).length

const statusSize = ':status'.length + 3

const details = compileCommand({ kind: 'response-details' }, false)

/** Source: HTTPResponseProperties. */
function writeResponse(known: Known): void {
  const { call, end, reply } = known
  if (call !== undefined && end !== undefined && end.status !== 0) {
    const code = writer.open(1)
    writer.number(1, end.status)
    writer.close(code)
  }
  if (call !== undefined && reply !== undefined) count(2, statusSize + headersSize(reply.headers))
  count(3, end?.bytesSent)
  text(6, details(known))
}

/** An entry of a map: all values of a header, as one. Source: Envoy, `HeaderUtility::getAllOfHeaderAsString`. */
function fieldOf(
  name: string,
  listOf: (known: Known) => Headers | undefined,
  first: ValueOf,
): (field: number, known: Known) => void {
  return (field, known) => {
    const value = first(known)
    if (value === undefined) return
    const all = (listOf(known) ?? []).filter((one) => one.name === name)
    const entry = writer.open(field)
    writer.text(1, name)
    writer.text(2, all.length > 1 ? readWireText(all.map((one) => one.value).join(',')) : String(value))
    writer.close(entry)
  }
}

/** Zero and nothing are the same on the wire. */
function count(field: number, value: number | undefined): void {
  if (value !== undefined && value > 0) writer.number(field, value)
}

function text(field: number, value: string | number | undefined): void {
  if (value !== undefined && value !== '') writer.text(field, String(value))
}
