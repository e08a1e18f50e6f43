import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createLogFiles } from './log-files.ts'

test('lines go where their path says; a file that cannot be written is told of once', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-log-'))
  t.after(() => fs.rmSync(dir, { recursive: true }))
  const said: string[] = []
  const failed: string[] = []
  const files = createLogFiles({
    stdout: (line) => said.push(`out ${line}`),
    stderr: (line) => said.push(`err ${line}`),
    failed: (file) => failed.push(file),
  })
  files.to('/dev/stdout')('a')
  files.to('/dev/stderr')('b')
  const file = path.join(dir, 'access.log')
  fs.writeFileSync(file, 'before\n')
  const write = files.to(file)
  write('one\n')
  files.to(file)('two\n')
  const nowhere = path.join(dir, 'missing', 'x')
  for (let times = 0; times < 3; times++) files.to(nowhere)('lost\n')
  await files.close()
  assert.deepEqual(said, ['out a', 'err b'])
  assert.equal(fs.readFileSync(file, 'utf8'), 'before\none\ntwo\n')
  assert.deepEqual(failed, [nowhere])
  write('after the end\n')
})
