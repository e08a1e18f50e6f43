import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

test('it is the whole of node:http, and undici stays out', async () => {
  const file = path.join(import.meta.dirname, 'node-http.ts')
  const script = `
    import { nodeHttp } from ${JSON.stringify(file)}
    const { createServer, get } = nodeHttp()
    const loaded = process.moduleLoadList.filter((name) => name.includes('undici'))
    console.log(typeof createServer, typeof get, loaded.length)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  assert.equal(stdout.trim(), 'function function 0')
})
