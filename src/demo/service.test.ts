import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { withWeights } from './bookshop.ts'
import { freePorts } from '../base/free-ports.ts'
import { systemRandom } from '../base/random.ts'
import { getJson, httpGet } from './http-get.ts'
import { descendants } from './process-table.ts'

async function start(context: TestContext, env: Record<string, string>): Promise<string> {
  const [port = 0] = await freePorts(1, systemRandom)
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'service.ts')], {
    env: { ...env, PORT: String(port) },
    stdio: 'inherit',
  })
  context.after(() => child.kill('SIGKILL'))
  assert.ok(descendants(process.pid).some(({ pid }) => pid === child.pid))
  const url = `http://127.0.0.1:${port}`
  while ((await httpGet(`${url}/stats`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
  return url
}

test('the sample service calls others by name and counts the load that it makes', async (context) => {
  const ratings = await start(context, { NAME: 'ratings', VERSION: 'v2' })
  const reviews = await start(context, {
    NAME: 'reviews',
    CALLS: JSON.stringify({ ratings }),
    ON_DEMAND: JSON.stringify({ nobody: 'http://127.0.0.1:1/' }),
  })
  const page = await getJson<{ calls: { ratings: { said: { version: string } } } }>(`${reviews}/`)
  assert.equal(page?.calls.ratings.said.version, 'v2')
  assert.equal((await httpGet(`${reviews}/call/nobody`)).status, 502)
  assert.equal((await httpGet(`${reviews}/call/unknown`)).status, 404)
  const shopper = await start(context, { NAME: 'shopper', LOAD_URL: `${reviews}/`, LOAD_RATE: '100' })
  interface Stats {
    readonly load: { readonly ok: number; readonly failed: number; readonly versions: Record<string, number> }
  }
  const stats = async (): Promise<Stats | undefined> => getJson<Stats>(`${shopper}/stats`)
  let seen = await stats()
  while ((seen?.load.ok ?? 0) < 5) seen = await stats()
  assert.equal(seen?.load.failed, 0)
  assert.ok((seen?.load.versions['ratings v2'] ?? 0) >= 5)
})

test('it knows nothing of the mesh', () => {
  const source = fs.readFileSync(path.join(import.meta.dirname, 'service.ts'), 'utf8')
  assert.doesNotMatch(source, /weft|spiffe|sidecar/i)
})

test('the weights of examples/split.yaml can be changed', () => {
  const split = fs.readFileSync(path.join(import.meta.dirname, '../../examples/split.yaml'), 'utf8')
  assert.match(withWeights(split, 50, 50), /catalog-v1.*weight: 50[^]*catalog-v2.*weight: 50/)
  assert.throws(() => withWeights('nothing', 50, 50))
})
