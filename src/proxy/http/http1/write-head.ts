import type { HeaderCase } from '../../config/header-case.ts'
import type { Headers } from '../headers.ts'
import type { Reply } from '../service.ts'
import { chunked, untilClose } from './framing.ts'
import { spellHead } from './header-case.ts'

const reasons: ReadonlyMap<number, string> = new Map([
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [103, 'Early Hints'],
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [204, 'No Content'],
  [206, 'Partial Content'],
  [301, 'Moved Permanently'],
  [302, 'Found'],
  [303, 'See Other'],
  [304, 'Not Modified'],
  [307, 'Temporary Redirect'],
  [308, 'Permanent Redirect'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [412, 'Precondition Failed'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [417, 'Expectation Failed'],
  [422, 'Unprocessable Content'],
  [426, 'Upgrade Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
])

/** `HTTP/1.1 200 OK`; always 1.1, which is what we speak (RFC 9110, section 6.2). */
export const statusLine = (status: number): string => `HTTP/1.1 ${status} ${reasons.get(status) ?? ''}\r\n`

/** All fields as lines. */
export function fieldLines(headers: Headers): string {
  let text = ''
  for (const field of headers) text += field.line ?? `${field.rawName}: ${field.value}\r\n`
  return text
}

/** The field that announces `framing` (bytes or `chunked`); nothing for a body that ends with the connection. */
export function framingLine(framing: number): string {
  if (framing >= 0) return `content-length: ${framing}\r\n`
  return framing === chunked ? 'transfer-encoding: chunked\r\n' : ''
}

/** What matters of a request for its reply's framing; both undefined when there was no valid request. */
export interface Asked {
  readonly method: string | undefined
  readonly minor: 0 | 1 | undefined
}
/** How a reply goes out. */
export interface ReplyPlan {
  readonly bodiless: boolean
  readonly framing: number
  /** Only the connection's end ends the body. */
  readonly closes: boolean
}

/** HTTP/1.0 knows no chunks. Source: RFC 9112, section 6.3. */
export function planReply({ status, body }: Reply, { method, minor }: Asked): ReplyPlan {
  const bodiless = status === 204 || status === 304 || method === 'HEAD'
  const framing = body.length ?? (minor === 1 ? chunked : untilClose)
  return { bodiless, framing, closes: framing === untilClose && !bodiless }
}

/** The whole head, its empty line included. */
export function replyHead(
  { status, headers, body }: Reply,
  { method, minor }: Asked,
  { bodiless, framing }: ReplyPlan,
  { keepAlive, headerCase }: { readonly keepAlive: boolean; readonly headerCase?: HeaderCase | undefined },
): string {
  let text = statusLine(status) + fieldLines(headers)
  if (!bodiless) text += framingLine(framing)
  // A local answer to HEAD has a body that only says its length; a foreign one kept its content-length as a field.
  else if (method === 'HEAD' && body.length !== undefined && body.length > 0) text += framingLine(body.length)
  if (!keepAlive) text += 'connection: close\r\n'
  else if (minor === 0) text += 'connection: keep-alive\r\n'
  return spellHead(`${text}\r\n`, headerCase)
}

/** Of a reply that is no final one. */
export const shortHead = (status: number, headers: Headers, headerCase?: HeaderCase): string =>
  spellHead(`${statusLine(status)}${fieldLines(headers)}\r\n`, headerCase)

/** Of a reply behind which there is a tunnel; `upgrade`: the protocol in it. */
export function tunnelHead({ status, headers }: Reply, upgrade = '', headerCase?: HeaderCase): string {
  const connection = status === 101 ? `connection: upgrade\r\nupgrade: ${upgrade}\r\n` : ''
  return spellHead(`${statusLine(status)}${fieldLines(headers)}${connection}\r\n`, headerCase)
}
