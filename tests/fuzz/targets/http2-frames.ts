import { frame, settingsFrame } from '../../../src/proxy/http/http2/testing/raw.ts'
import { Encoder, fieldBound } from '../../../src/proxy/http/http2/hpack/encoder.ts'
import { headerField } from '../../../src/proxy/http/headers.ts'
import { errorName, flag, frameType } from '../../../src/proxy/http/http2/wire.ts'

export const settings: typeof settingsFrame = settingsFrame

/** Any frame; the payload is latin1. */
export const raw = (type: number, flags: number, id: number, payload: string): Buffer =>
  frame(type, flags, id, Buffer.from(payload, 'latin1'))

export const data = (id: number, text: string, end = false): Buffer =>
  raw(frameType.data, end ? flag.endStream : 0, id, text)

/** A header block as the first of a connection. */
export function headers(id: number, fields: Readonly<Record<string, string>>, end: boolean): Buffer {
  const list = Object.entries(fields).map(([name, value]) => headerField(name, value))
  const out = Buffer.alloc(list.reduce((sum, field) => sum + fieldBound(field), 0))
  const encoder = new Encoder()
  let at = 0
  for (const field of list) at = encoder.field(out, at, field)
  return frame(frameType.headers, flag.endHeaders | (end ? flag.endStream : 0), id, out.subarray(0, at))
}

/** Why the connection was ended, by the GOAWAY among these bytes; "open" without one. */
export function endOf(bytes: Buffer): string {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === frameType.goAway) return errorName(bytes.readUInt32BE(at + 13))
  }
  return 'open'
}
