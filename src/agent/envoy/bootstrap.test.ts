import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { realEnvoy } from '../../base/testing/real-envoy.ts'
import { envoyBootstrap, type BootstrapParts } from './bootstrap.ts'

const { binary: envoy, skip } = realEnvoy()
const parts: BootstrapParts = {
  nodeId: 'default/web-1',
  service: 'web',
  locality: 'eu/a',
  trustDomain: 'weft.local',
  controlPlane: { host: '127.0.0.1', port: 15_012 },
  admin: { host: '127.0.0.1', port: 0 },
  secretsPath: '/nowhere/agent.sock',
}

test('real Envoy takes the bootstrap, whether the control plane is named or numbered', { skip }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-bootstrap-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  for (const host of ['127.0.0.1', 'mesh.example']) {
    const file = path.join(folder, `${host}.json`)
    fs.writeFileSync(file, JSON.stringify(envoyBootstrap({ ...parts, controlPlane: { host, port: 15_012 } })))
    await promisify(execFile)(envoy, ['--mode', 'validate', '-l', 'error', '-c', file])
  }
})

test('it says who and where, and holds no secret', () => {
  const text = JSON.stringify(envoyBootstrap(parts))
  assert.match(text, /"node":\{"id":"default\/web-1","cluster":"web","locality":\{"region":"eu","zone":"a"/)
  assert.doesNotMatch(text, /private_key|inline|PEM/i)
})
