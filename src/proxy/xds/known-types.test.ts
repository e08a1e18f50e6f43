import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { knownTypes } from './known-types.ts'

const sources = fs
  .globSync('*.ts', { cwd: import.meta.dirname })
  .filter((name) => /^decode-.*(?<!\.test)\.ts$/.test(name))

test('a bootstrap may hold every type that some decoder takes', () => {
  const list = fs.readFileSync(path.join(import.meta.dirname, 'known-types.ts'), 'utf8')
  let opened = 0
  for (const name of sources) {
    const text = fs.readFileSync(path.join(import.meta.dirname, name), 'utf8')
    for (const [, schema = ''] of text.matchAll(/(?<![\w.])open\(\s*\w+,\s*(\w+Schema)/g)) {
      opened++
      assert.match(list, new RegExp(`^  ${schema},`, 'm'), `${name} opens ${schema}, known-types.ts lacks it`)
    }
    for (const [, type = ''] of text.matchAll(/(?<=[/`'])(envoy\.extensions\.[\w.]+\.v\d\.[A-Z]\w+)/g))
      assert.ok(knownTypes.getMessage(type), `${name} names ${type}, known-types.ts lacks it`)
  }
  assert.ok(opened > 5, 'the decoders have moved')
})
