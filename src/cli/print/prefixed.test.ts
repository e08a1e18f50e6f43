import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixed } from './prefixed.ts'

test('whole lines with names of one width, wherever the bytes are cut', () => {
  let out = ''
  const one = prefixed('web', { width: 5, write: (text) => (out += text) })
  const bytes = Buffer.from('größe\nzwei\nlast')
  for (const byte of bytes) one.write(Buffer.from([byte]))
  assert.equal(out, 'web   | größe\nweb   | zwei\n')
  one.flush()
  one.flush()
  assert.equal(out, 'web   | größe\nweb   | zwei\nweb   | last\n')
})

test('in colour the name is, and the line is not', () => {
  let out = ''
  prefixed('a', { width: 1, index: 11, write: (text) => (out += text) }).write(Buffer.from('x\n'))
  assert.equal(out, '\u001b[33ma | \u001b[0mx\n')
})

test('a line without end is cut', () => {
  const lines: string[] = []
  const one = prefixed('a', { width: 1, write: (text) => lines.push(text) })
  for (let times = 0; times < 5; times++) one.write(Buffer.alloc(8192, 'x'))
  assert.equal(lines.length, 1)
})
