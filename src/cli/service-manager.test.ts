import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { tellReady } from './service-manager.ts'

test('a service manager that waits is told, once we are ready; nobody else is', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-notify-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const heard = path.join(folder, 'heard')
  fs.writeFileSync(path.join(folder, 'systemd-notify'), '#!/bin/sh\necho "$NOTIFY_SOCKET" "$@" >>"$HEARD"\n', {
    mode: 0o755,
  })
  const env = { PATH: `${folder}:${process.env['PATH']}`, HEARD: heard }
  await tellReady(env, assert.fail)
  assert.equal(fs.existsSync(heard), false, 'no service manager')
  await tellReady({ ...env, NOTIFY_SOCKET: '@there' }, assert.fail)
  assert.equal(fs.readFileSync(heard, 'utf8'), '@there --ready\n')
})

test('a service manager that cannot be told is no reason to end, and is named', async () => {
  const problems: string[] = []
  await tellReady({ PATH: '/nowhere', NOTIFY_SOCKET: '@there' }, (problem) => void problems.push(problem))
  assert.match(problems.join(), /^the service manager cannot be told that this is ready: .*ENOENT/)
})
