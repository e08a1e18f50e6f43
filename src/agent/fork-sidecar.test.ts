import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { forkEarly, type EarlySidecar } from './fork-sidecar.ts'

/** Starts a script as a sidecar that has nothing to do yet. */
function early(t: TestContext, source: string): EarlySidecar {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-early-'))
  const script = path.join(dir, 'sidecar.js')
  fs.writeFileSync(script, source)
  const sidecar = forkEarly({ script, flags: [], env: { PATH: process.env['PATH'] } })
  t.after(() => {
    sidecar.close()
    fs.rmSync(dir, { recursive: true, force: true })
  })
  return sidecar
}

test('the first who asks gets the process, which hears what it was told before it was up', async (t) => {
  const sidecar = early(t, 'process.on("message", (message) => process.send({ heard: message }))')
  const child = sidecar.take()
  assert.ok(child)
  assert.equal(sidecar.take(), undefined)
  child.send('start')
  assert.deepEqual((await once(child, 'message'))[0], { heard: 'start' })
  // It is its taker's now.
  sidecar.close()
  child.send('more')
  assert.deepEqual((await once(child, 'message'))[0], { heard: 'more' })
  child.kill()
  await once(child, 'exit')
})

test('a process that has ended by itself is given to nobody', async (t) => {
  const sidecar = early(t, 'process.exit(3)')
  while (process.getActiveResourcesInfo().includes('ProcessWrap')) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(sidecar.take(), undefined)
})
