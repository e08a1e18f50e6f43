import assert from 'node:assert/strict'
import { headerField } from '../../../src/proxy/http/headers.ts'
import { Decoder } from '../../../src/proxy/http/http2/hpack/decoder.ts'
import { Encoder, fieldBound } from '../../../src/proxy/http/http2/hpack/encoder.ts'
import { limits } from '../../../src/proxy/http/http2/limits.ts'
import type { Target } from '../target.ts'

const bounds = { listBytes: limits.listBytes, fields: limits.fields }
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** What is decoded, encoded again and decoded once more must be the same. */
function roundTrip(decoded: readonly { readonly name: string; readonly value: string }[]): void {
  const fields = decoded.map(({ name, value }) => headerField(name, value))
  const out = Buffer.alloc(fields.reduce((sum, field) => sum + fieldBound(field), 16))
  const encoder = new Encoder()
  let at = 0
  for (const field of fields) at = encoder.field(out, at, field)
  const decoder = new Decoder(bounds)
  assert.ok(decoder.decode(out, 0, at), 'what the encoder wrote is not valid')
  assert.deepEqual(
    decoder.fields.map(({ name, value }) => [name, value]),
    fields.map(({ name, value }) => [name, value]),
  )
}

/** Header blocks: a block is not cut, so that only decoding, its bounds and the way back are tried. */
export const hpack: Target = {
  name: 'hpack',
  // Source: RFC 7541, appendix C.
  seeds: [
    hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'),
    hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'),
    hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 8286 84be 5808 6e6f 2d63 6163 6865'),
    hex(
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    ),
    hex('3fe1 1f 2082 1008 7061 7373 776f 7264 0673 6563 7265 74'),
  ],
  words: [
    '\x3f\xe1\x1f',
    '\x20',
    '\xff\xff\xff\xff\x0f',
    '\x7f\xff\xff\xff\xff\xff',
    '\x40\x01a\x01b',
    '\xbe',
    '\x00\x81\xff\x81\xff',
  ],
  async read(pieces) {
    const bytes = Buffer.concat(pieces)
    const decoder = new Decoder(bounds)
    // Twice: the second block meets the table that the first one left.
    const told = [0, 1].map(() => {
      if (!decoder.decode(bytes, 0, bytes.length)) return 'refused'
      assert.ok(decoder.fields.length <= bounds.fields)
      roundTrip(decoder.fields)
      return `${decoder.tooLarge} ${decoder.fields.map(({ name, value }) => `${name}=${value}`).join('\n')}`
    })
    return told.join('\n')
  },
}
