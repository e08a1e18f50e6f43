import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { realEnvoy } from '../../../src/base/testing/real-envoy.ts'
import { createTestAuthority } from '../../../src/proxy/testing/certificates.ts'
import { decodeBootstrap } from '../../../src/proxy/xds/decode-bootstrap.ts'
import { testSdsServer, type TestSecrets } from '../../../src/proxy/xds/testing/sds-server.ts'
import { freePort } from '../../world/free-port.ts'
import { ask, type ClientMaterial } from './ask.ts'
import { startBackends, type Backends } from './backends.ts'
import { bootstrapOf, listenerName, loadCases, type Case, type CaseRequest } from './case.ts'
import { comparable, differentShares, unexpected } from './compare.ts'
import { compareLog } from './logs.ts'
import { startProxy, type RunningProxy } from './proxies.ts'

const { binary: envoy, skip } = realEnvoy()
const only = process.env['DIFFERENTIAL']?.split(',')

interface World {
  readonly backends: Backends
  readonly material: ClientMaterial
  readonly proxies: readonly [envoy: RunningProxy, weft: RunningProxy]
}

test('real Envoy and weft proxy do the same with the same file', { skip, concurrency: 4 }, async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-differential-'))
  const keep = process.env['DIFFERENTIAL_KEEP'] !== undefined
  if (keep) t.diagnostic(`bootstraps are in ${dir}`)
  const { material, files, server, secrets } = await certificates(dir)
  files['sds'] = (await testSdsServer(t, secrets)).unix
  const backends = await startBackends(t, server)
  ;[files['socket'], files['abstract']] = backends.sockets
  const values = Object.fromEntries([
    ...Object.entries(backends.ports).map(([name, port]) => [`backend.${name}`, String(port)] as const),
    ...Object.entries(backends.ports).map(
      ([name, port]) => [`session.${name}`, Buffer.from(`127.0.0.1:${port}`).toString('base64')] as const,
    ),
    ...Object.entries(files).map(([name, file]) => [`file.${name}`, file] as const),
  ])
  const cases = loadCases(only, values)
  assert.ok(cases.length > 0, 'there are no such cases')
  const refusals = new Map(cases.map((one) => [one, refusalOf(one, backends)]))
  const taken = cases.filter((one) => refusals.get(one)?.length === 0)

  const start = async (name: 'envoy' | 'weft'): Promise<RunningProxy> => {
    const names = ['admin', ...taken.flatMap((one) => Object.keys(one.listeners).map((own) => listenerName(one, own)))]
    const ports = new Map<string, number>()
    for (const listener of names) ports.set(listener, await freePort())
    const portOf = (listener: string): number => ports.get(listener) ?? 0
    const logs = path.join(dir, `${name}-logs`)
    fs.mkdirSync(logs)
    return startProxy(t, name, {
      bootstrap: bootstrapOf(taken, backends.ports, portOf, logs),
      portOf,
      dir,
      envoy,
      logs,
    })
  }
  t.after(() => {
    if (!keep) fs.rmSync(dir, { recursive: true })
  })
  if (taken.length === 0) assert.deepEqual([...refusals.values()], [], 'weft takes no case')
  const proxies = await Promise.all([start('envoy'), start('weft')])
  const world: World = { backends, material, proxies }
  await Promise.all(
    cases.map((one) =>
      t.test(`${one.name}: ${one.about}`, { concurrency: 4 }, async (own) => {
        assert.deepEqual(refusals.get(one), [], 'weft refuses the configuration')
        const step = (request: CaseRequest, index: number): Promise<void> =>
          own.test(`${index}: ${request.send ?? (request.tcp === undefined ? 'raw' : 'tcp')}`, () =>
            compareOne(one, index, world),
          )
        if (one.in_order !== true) await Promise.all(one.requests.map(step))
        else for (const [index, request] of one.requests.entries()) await step(request, index)
        for (const [name, spec] of Object.entries(one.logs ?? {}))
          await own.test(`log ${name}`, () => compareLog(one, name, spec, proxies))
      }),
    ),
  )
  for (const { name, child } of proxies) assert.ok(child.isRunning, `${name} has ended:\n${child.err}`)
})

/** What weft says against the configuration of one case: the rest of the suite goes on without it. */
function refusalOf(one: Case, { ports }: Backends): readonly string[] {
  let port = 10_000
  const decoded = decodeBootstrap(
    bootstrapOf([one], ports, () => port++, os.tmpdir()),
    {
      readFile: (file) => fs.readFileSync(file),
      env: {},
    },
  )
  return 'problems' in decoded ? decoded.problems : []
}

async function compareOne(one: Case, index: number, world: World): Promise<void> {
  const request = one.requests[index]
  assert.ok(request)
  const [envoy, weft] = await Promise.all(world.proxies.map((proxy) => ask(proxy, one, index, world)))
  assert.ok(envoy && weft)
  const { expect = {} } = request
  assert.deepEqual(unexpected(expect, envoy), [], 'Envoy does not do what the case expects')
  const { at_least_ms } = expect
  if (at_least_ms !== undefined) assert.deepEqual(unexpected({ at_least_ms }, weft), [], 'weft is quicker')
  if (request.weft !== undefined) {
    const { status, rest } = request.weft
    const [reply] = weft.exchange.replies
    assert.deepEqual({ status: reply?.status, rest: weft.exchange.rest }, { status, rest: rest ?? '' })
    // Envoy decides about raw connections by what comes first, and may be as quick.
    if (status !== undefined) assert.notEqual(envoy.exchange.replies[0]?.status, status, 'they are the same now')
    return
  }
  if (envoy.shares !== undefined && weft.shares !== undefined)
    return assert.deepEqual(differentShares(envoy.shares, weft.shares), [])
  assert.deepEqual(
    comparable(weft, request, one.name),
    comparable(envoy, request, one.name),
    'weft (+) is not as Envoy (-)',
  )
}

async function certificates(dir: string): Promise<{
  material: ClientMaterial
  files: Record<string, string>
  server: ClientMaterial['client'] & { trustPem: string }
  secrets: TestSecrets
}> {
  const authority = await createTestAuthority()
  const others = await createTestAuthority()
  const stranger = await others.issue('spiffe://other/ns/x/sa/y')
  const server = await authority.issue(['dns:backend.example', 'spiffe://case.example/ns/back/sa/end'])
  const client = await authority.issue('spiffe://case.example/ns/front/sa/client')
  const imposter = await authority.issue('spiffe://other/ns/x/sa/y')
  const files: Record<string, string> = {}
  const write = (name: string, text: string): void => {
    files[name] = path.join(dir, `${name}.pem`)
    fs.writeFileSync(files[name], text)
  }
  write('trust', authority.bundlePem)
  write('other-trust', others.bundlePem)
  for (const [name, names] of [
    ['one', ['dns:one.example', 'spiffe://case.example/ns/edge/sa/one']],
    ['two', ['dns:two.example']],
  ] as const) {
    const pair = await authority.issue(names)
    write(`${name}-cert`, pair.chainPem)
    write(`${name}-key`, pair.keyPem)
  }
  const one = await authority.issue('spiffe://case.example/ns/edge/sa/one')
  const secrets = {
    'spiffe://case.example': authority.bundlePem,
    'spiffe://case.example/ns/edge/sa/one': one,
    client,
  }
  write('client-cert', client.chainPem)
  write('client-key', client.keyPem)
  const material = { trustPem: authority.bundlePem, client, stranger, imposter }
  return { material, files, server: { ...server, trustPem: authority.bundlePem }, secrets }
}
