import { headerField, type HeaderField } from '../headers.ts'
import { chunked, isRefusal, readFields, untilClose } from './framing.ts'

/** A reply's head, checked. */
export interface ReplyHead {
  readonly status: number
  readonly headers: HeaderField[]
  /** Bytes, `chunked` or `untilClose`; 0 for replies that have no body by definition. */
  readonly framing: number
  readonly keepAlive: boolean
  readonly upgrade: string | undefined
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/

/**
 * Reads a whole reply head (latin1, without its final empty line) to a request with `method`; a sentence when it is not valid.
 * Source: RFC 9112, sections 4 and 6.3; statuses from 600 on have no meaning and are refused.
 */
export function readReplyHead(text: string, method: string): ReplyHead | string {
  const lineEnd = text.indexOf('\r\n')
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd)
  const [, minor, code] = statusLine.exec(line) ?? []
  const status = Number(code)
  if (!(status < 600)) return 'the status line is not valid'
  const fields = readFields(text, lineEnd < 0 ? text.length : lineEnd + 2)
  if (isRefusal(fields)) return fields.cause
  if (fields.chunked && minor === '0') return 'Transfer-Encoding in an HTTP/1.0 reply'
  const bodiless = status < 200 || status === 204
  const statement = method === 'HEAD' || status === 304
  if (statement && fields.contentLength !== undefined)
    fields.headers.push(headerField('content-length', String(fields.contentLength)))
  return {
    status,
    headers: fields.headers,
    framing: bodiless || statement ? 0 : fields.chunked ? chunked : (fields.contentLength ?? untilClose),
    keepAlive: minor === '1' ? !fields.close : fields.keepAlive && !fields.close,
    upgrade: fields.upgrade,
  }
}
