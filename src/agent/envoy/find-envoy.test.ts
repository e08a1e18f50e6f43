import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { findEnvoy } from './find-envoy.ts'

test('the flag comes first, then ENVOY_BIN, then the path; what is not there is named with the remedy', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-find-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const [flag, variable, onPath] = ['flag', 'variable', 'envoy'].map((name) => {
    const file = path.join(folder, name)
    fs.writeFileSync(file, '', { mode: 0o755 })
    return file
  }) as [string, string, string]
  const env = { PATH: folder, ENVOY_BIN: variable }
  assert.deepEqual(findEnvoy({ file: flag }, { env }), { file: flag })
  assert.deepEqual(findEnvoy({}, { env }), { file: variable })
  assert.deepEqual(findEnvoy({}, { env: { PATH: folder } }), { file: onPath })
  for (const [options, place, form] of [
    [{ file: '/nowhere' }, env, /^--envoy-path \/nowhere is no program/],
    [{}, { ...env, ENVOY_BIN: '/nowhere' }, /^ENVOY_BIN \/nowhere is no program/],
    [{}, { PATH: '/nowhere' }, /^there is no envoy on the path: install Envoy 1\.40/],
  ] as const) {
    const found = findEnvoy(options, { env: place })
    assert.ok('refused' in found)
    assert.match(found.refused, form)
    assert.equal(found.status, 1)
  }
})
