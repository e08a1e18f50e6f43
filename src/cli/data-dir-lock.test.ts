import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { lockDataDir } from './data-dir-lock.ts'

test('one holder at a time; a holder that was killed holds nothing', async (context) => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-lock-'))
  context.after(() => fs.rmSync(parent, { recursive: true }))
  const dataDir = path.join(parent, 'state')
  const script = `
    const { lockDataDir } = await import(${JSON.stringify(path.join(import.meta.dirname, 'data-dir-lock.ts'))})
    process.stdout.write(lockDataDir(${JSON.stringify(dataDir)}).kind)
    process.stdin.resume()`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  context.after(() => holder.kill('SIGKILL'))
  const [said] = await once(holder.stdout, 'data')
  assert.equal(String(said), 'held')
  assert.deepEqual(lockDataDir(dataDir), { kind: 'taken', pid: holder.pid })
  assert.equal(fs.statSync(dataDir).mode & 0o777, 0o700)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const mine = lockDataDir(dataDir)
  assert.ok(mine.kind === 'held')
  assert.equal(lockDataDir(dataDir).kind, 'taken')
  mine.release()
  const again = lockDataDir(dataDir)
  assert.ok(again.kind === 'held')
  again.release()
})
