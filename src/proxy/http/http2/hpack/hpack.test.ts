import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../../../base/random.ts'
import { headerField, type HeaderField } from '../../headers.ts'
import { Decoder } from './decoder.ts'
import { beginBound, Encoder, fieldBound } from './encoder.ts'
import { Field, indexing, internName, role } from './field.ts'
import { decoded, decodeHuffman, encodeHuffman, huffmanLength } from './huffman.ts'
import { staticTable } from './static-table.ts'

const limits = { listBytes: 61_440, fields: 100 }
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const pairs = ({ fields }: Decoder): string[] => fields.map(({ name, value }) => `${name}: ${value}`)
const decodeAll = (decoder: Decoder, bytes: Buffer): boolean => decoder.decode(bytes, 0, bytes.length)

function encode(encoder: Encoder, fields: readonly HeaderField[]): Buffer {
  const out = Buffer.alloc(fields.reduce((sum, field) => sum + fieldBound(field), beginBound))
  let at = encoder.begin(out, 0)
  for (const field of fields) at = encoder.field(out, at, field)
  return out.subarray(0, at)
}

const get = ':method: GET'
const http = ':scheme: http'
const example = ':authority: www.example.com'
const requests = [
  [get, http, ':path: /', example],
  [get, http, ':path: /', example, 'cache-control: no-cache'],
  [get, ':scheme: https', ':path: /index.html', example, 'custom-key: custom-value'],
]
const expires = 'date: Mon, 21 Oct 2013 20:13'
const location = 'location: https://www.example.com'

/** RFC 7541, appendix C. */
const vectors: readonly { title: string; blocks: readonly string[]; expect: readonly (readonly string[])[] }[] = [
  {
    title: 'C.2.1 literal with indexing',
    blocks: ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'be'],
    expect: [['custom-key: custom-header'], ['custom-key: custom-header']],
  },
  {
    title: 'C.2.2 literal without indexing',
    blocks: ['040c 2f73 616d 706c 652f 7061 7468'],
    expect: [[':path: /sample/path']],
  },
  {
    title: 'C.2.3 literal never indexed',
    blocks: ['1008 7061 7373 776f 7264 0673 6563 7265 74'],
    expect: [['password: secret']],
  },
  { title: 'C.2.4 indexed', blocks: ['82'], expect: [[get]] },
  {
    title: 'C.3 requests',
    blocks: [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
    expect: requests,
  },
  {
    title: 'C.4 requests, Huffman',
    blocks: [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
    expect: requests,
  },
  {
    title: 'C.6 replies, Huffman, a table of 256 octets that evicts',
    blocks: [
      `3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
       8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
       cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ],
    expect: [
      [':status: 302', 'cache-control: private', `${expires}:21 GMT`, location],
      [':status: 307', 'cache-control: private', `${expires}:21 GMT`, location],
      [
        ':status: 200',
        'cache-control: private',
        `${expires}:22 GMT`,
        location,
        'content-encoding: gzip',
        'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      ],
    ],
  },
]
for (const { title, blocks, expect } of vectors)
  test(`decodes ${title}`, () => {
    const decoder = new Decoder(limits)
    for (const [index, block] of blocks.entries()) {
      assert.equal(decodeAll(decoder, hex(block.replaceAll(/\s/g, ''))), true)
      assert.deepEqual(pairs(decoder), expect[index])
    }
  })

test('encodes requests as C.4 does', () => {
  const encoder = new Encoder()
  const fields = [...staticTable.slice(1, 2), ...staticTable.slice(5, 6), ...staticTable.slice(3, 4)]
  const authority = new Field(internName(':authority'), 'www.example.com', indexing.yes)
  assert.equal(encode(encoder, [...fields, authority]).toString('hex'), '828684418cf1e3c2e5f23a6ba0ab90f4ff')
  const noCache = headerField('cache-control', 'no-cache')
  assert.equal(encode(encoder, [...fields, authority, noCache]).toString('hex'), '828684be5886a8eb10649cbf')
  assert.equal(encode(encoder, [noCache]).toString('hex'), 'be', 'an equal field of another maker is the same entry')
})

test('every string comes back from the Huffman code', () => {
  const random = seeded(7)
  for (let round = 0; round < 500; round++) {
    const text = Buffer.from(Array.from({ length: random.below(60) }, () => Math.floor(random.below(256)))).toString(
      'latin1',
    )
    const out = Buffer.alloc(huffmanLength(text))
    assert.equal(encodeHuffman(text, out, 0), out.length)
    const length = decodeHuffman(out, 0, out.length)
    assert.equal(decoded.toString('latin1', 0, length), text)
  }
})

test('refuses padding that is no padding, and EOS', () => {
  for (const bytes of ['00', '1fff', 'ffffffff', '1f00'])
    assert.equal(decodeHuffman(hex(bytes), 0, bytes.length / 2), -1, bytes)
})

test('what an encoder writes, a decoder reads, whatever sizes the table is given', () => {
  const random = seeded(11)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.below(list.length))] as T
  for (let run = 0; run < 20; run++) {
    const encoder = new Encoder()
    const decoder = new Decoder(limits)
    const pool = Array.from({ length: 60 }, (_, index) =>
      headerField(
        pick(['x-a', 'x-b', 'cookie', 'x-request-id', 'content-type', `x-${index}`]),
        'v'.repeat(Math.floor(random.below(120))) + index,
      ),
    )
    for (let block = 0; block < 60; block++) {
      if (random.below(5) < 1) encoder.allow(Math.floor(random.below(6000)))
      if (random.below(5) < 1) encoder.allow(Math.floor(random.below(300)))
      const fields = Array.from({ length: Math.floor(random.below(20)) }, () => pick(pool))
      assert.equal(decodeAll(decoder, encode(encoder, fields)), true)
      assert.deepEqual(
        pairs(decoder),
        fields.map(({ name, value }) => `${name}: ${value}`),
      )
    }
  }
})

test('secrets are never indexed, and what a sender never indexed stays so', () => {
  const encoder = new Encoder()
  const cookie = headerField('cookie', 'id=1')
  const first = encode(encoder, [cookie])
  assert.equal(first[0], 0x1f)
  assert.deepEqual(encode(encoder, [cookie]), first)

  const decoder = new Decoder(limits)
  assert.ok(decodeAll(decoder, hex('1003782d6b 0131')))
  assert.equal(encode(encoder, decoder.fields).toString('hex').startsWith('10'), true)
  assert.ok(decodeAll(decoder, hex('4003782d6b 0131')))
  assert.equal(encode(encoder, decoder.fields).toString('hex').startsWith('40'), true, 'the same text, to be indexed')
  // A cookie that its sender did put into a table is still not put into ours, which others share.
  assert.ok(decodeAll(decoder, hex('6001 61')))
  assert.equal(encode(encoder, decoder.fields)[0], 0x1f)
})

test('counts what is thrown away, and stays in step', () => {
  const decoder = new Decoder(limits)
  const big = new Field(internName('x-big'), 'b'.repeat(3000), indexing.yes)
  const first = encode(new Encoder(), [big])
  const bomb = Buffer.concat([first, Buffer.alloc(60_000, 0xbe)])
  const before = process.memoryUsage().arrayBuffers
  assert.ok(decodeAll(decoder, bomb))
  assert.equal(decoder.tooLarge, true)
  assert.ok(decoder.fields.length <= 21)
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
  assert.ok(decodeAll(decoder, hex('be')))
  assert.deepEqual([decoder.tooLarge, decoder.fields[0]?.name], [false, 'x-big'])

  assert.ok(decodeAll(decoder, Buffer.alloc(100, 0x82)))
  assert.equal(decoder.tooLarge, false, '100 fields are allowed')
  assert.ok(decodeAll(decoder, Buffer.alloc(101, 0x82)))
  assert.equal(decoder.tooLarge, true, '101 are not')
})

test('refuses blocks that are none', () => {
  const bad = {
    'index 0': '80',
    'index past the tables': 'be',
    'an index that never ends': 'ffffffffffffff',
    'a name that is cut off': '400a63',
    'a string that is cut off': '4001610562',
    'nothing after a literal': '40',
    'a table larger than allowed': '3fe21f',
    'a table size after a field': '8220',
    'three table sizes': '20203f e11f',
    'a bad Huffman string': '4001618100',
  }
  for (const [what, bytes] of Object.entries(bad)) assert.equal(decodeAll(new Decoder(limits), hex(bytes)), false, what)
})

test('any bytes give an answer, never an exception', () => {
  const random = seeded(23)
  const decoder = new Decoder(limits)
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(Array.from({ length: Math.floor(random.below(40)) }, () => Math.floor(random.below(256))))
    decodeAll(decoder, bytes)
    assert.ok(decoder.fields.length <= 100)
  }
})

test('names and values are checked once, when a field is made', () => {
  const roleOf = (name: string, value = 'v'): number => new Field(internName(name), value, indexing.yes).role
  const valid = ['x-a', 'content-type', 'a_b', '__proto__', 'constructor']
  const invalid = ['', 'X-A', 'a b', 'a:b', ':what', 'connection', 'transfer-encoding', 'upgrade', 'a\0', 'a\n', 'é']
  for (const name of valid) assert.equal(roleOf(name), role.none, name)
  for (const name of invalid) assert.equal(roleOf(name), role.invalid, name)
  for (const value of ['a\r\nb', 'a\nb', 'a\0', ' a', 'a ', '\ta', '\x7f'])
    assert.equal(roleOf('x-a', value), role.invalid)
  for (const value of ['', 'a b', 'a\tb', '\xff']) assert.equal(roleOf('x-a', value), role.none)
})
