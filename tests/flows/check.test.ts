import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import type { Finding } from '../../src/cli/check/finding.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const echoProgram = path.join(import.meta.dirname, '../world/programs/echo.mjs')
const deny = `
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: nobody }
spec: { selector: { matchLabels: { app: web } }, action: DENY, rules: [{ to: [{ operation: { paths: [/secret] } }] }] }
`

test('check says whether all is in order, and at which step a call through the mesh ends', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const before = await world.weft(['check', '--capture', 'explicit'])
  assert.equal(before.status, 1)
  assert.match(before.out, /✗ API +no control plane at .*\n +→ start one with: weft up/)

  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  const rawPort = await freePort()
  await world.run('raw', {
    port: 0,
    args: ['--port', `5432=${rawPort}/tcp`],
    command: (report) => [process.execPath, echoProgram, 'raw', String(rawPort), report],
  })
  const sickPort = await freePort()
  await world.run('sick', {
    port: 0,
    args: ['--port', `80=${sickPort}`, '--ready', 'exec:exit 3'],
    command: (report) => [process.execPath, echoProgram, 'sick', String(sickPort), report],
  })
  // Says that it is ready, and listens nowhere.
  const [mutePort, muteRawPort] = [await freePort(), await freePort()]
  await world.run('mute', {
    port: 0,
    args: ['--port', `80=${mutePort}`, '--port', `6000=${muteRawPort}/tcp`, '--ready', 'exec:true'],
  })
  await world.apply(deny)
  await world.curlUntil(client, 'http://web/secret', 403)

  const all = await until('only the sick one is told of', async () => {
    const ran = await world.weft(['check', '--capture', 'explicit'])
    return / 1 failed|^1 failed/m.test(ran.out) ? ran : undefined
  })
  assert.equal(all.status, 1)
  assert.match(all.out, /✓ xDS .*certificate of this mesh's root/)
  assert.match(all.out, new RegExp(`✓ default/${web.name} +ready, in step`))
  assert.match(all.out, /✗ default\/sick-\S+ +is not ready/)
  assert.equal((await world.weft(['check', web.name, '--capture', 'explicit'])).status, 0)
  assert.match(
    (await world.weft(['check', 'nobody', '--capture', 'explicit'])).out,
    /✗ default\/nobody +is not enrolled/,
  )

  const steps = async (
    to: string,
  ): Promise<{ status: number; steps: readonly string[]; last: Finding | undefined }> => {
    const { status, out, err } = await world.weft(['check', '--from', 'client', '--to', to, '-o', 'json'])
    assert.equal(err, '')
    const { findings } = JSON.parse(out) as { findings: readonly Finding[] }
    return { status, steps: findings.map(({ what, state }) => `${what} ${state}`), last: findings.at(-1) }
  }
  const through = ['name ok', 'route ok', 'endpoint ok', 'connect ok', 'mTLS ok', 'authorized ok', 'program ok']
  const good = await steps('web')
  assert.deepEqual([good.status, good.steps], [0, through])
  assert.match(good.last?.says ?? '', /^answers 200/)
  assert.deepEqual((await steps('nothing')).steps, ['name failed'])
  assert.match((await steps('web:81')).last?.says ?? '', /has no port 81/)
  const denied = await steps('web/secret')
  assert.deepEqual([denied.status, denied.last?.what, denied.last?.state], [1, 'authorized', 'failed'])
  assert.match(denied.last?.says ?? '', /nobody/)
  const unready = await steps('sick')
  assert.deepEqual([unready.status, unready.last?.what, unready.last?.state], [1, 'endpoint', 'failed'])
  for (const to of ['mute', 'mute:6000']) {
    const mute = await steps(to)
    assert.deepEqual([mute.status, mute.last?.what, mute.last?.state], [1, 'program', 'failed'], to)
    assert.ok(mute.steps.includes('connect ok'), to)
  }
  const raw = await steps('raw:5432')
  assert.deepEqual(raw.steps, ['name ok', 'route ok', 'endpoint ok', 'connect ok', 'mTLS ok', 'program ok'])
})
