import { headerField, type HeaderField } from '../headers.ts'
import { readFields, Pseudo } from './fields.ts'
import type { Field } from './hpack/field.ts'

/** A reply's head, checked. */
export interface ReplyHead {
  readonly status: number
  readonly headers: HeaderField[]
  /** Bytes of the body to come; undefined: as many as come until the end. */
  readonly length: number | undefined
}

/** Reads the head of a reply to `method`; a sentence when it is malformed. Source: RFC 9113, sections 8.1 and 8.3.2. */
export function readReplyHead(fields: readonly Field[], method: string, end: boolean): ReplyHead | string {
  const pseudo = new Pseudo()
  const block = readFields(fields, pseudo)
  if (typeof block === 'string') return block
  const status = statusIn(pseudo)
  if (typeof status === 'string') return status
  const { headers, contentLength } = block
  if (status < 200) return end ? 'an informational reply that ends the stream' : { status, headers, length: undefined }
  const statement = method === 'HEAD' || status === 304
  if (statement && contentLength !== undefined) headers.push(headerField('content-length', String(contentLength)))
  if (statement || status === 204) return { status, headers, length: 0 }
  if (end && contentLength !== undefined && contentLength > 0) return 'content-length without DATA'
  return { status, headers, length: end ? 0 : contentLength }
}

function statusIn({ method, scheme, authority, path, protocol, status }: Pseudo): number | string {
  const others = method ?? scheme ?? authority ?? path ?? protocol
  if (status === undefined || others !== undefined) return 'a reply whose pseudo-header is not :status'
  if (status === '200') return 200
  return /^[1-5]\d\d$/.test(status) && status !== '101' ? Number(status) : ':status is not valid'
}
