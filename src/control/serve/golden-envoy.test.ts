import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { realEnvoy } from '../../base/testing/real-envoy.ts'
import { settable } from '../../base/watchable.ts'
import { gatewayNames } from '../../xds/names.ts'
import { testAuthority } from '../../xds/testing/certificates.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { ProxyState } from '../api/contract.ts'
import type { Model, Workload } from '../model/model.ts'
import { envoyTableName } from '../render/envoy-outbound.ts'
import { createRenderer } from '../render/render.ts'
import { modelFromYaml } from '../render/testing/model-yaml.ts'
import { createAds, type Ads } from './ads.ts'
import { startGrpcEndpoint } from './grpc-endpoint.ts'
import { agentSecrets, startEnvoy } from './testing/live-envoy.ts'

const { binary, skip: noEnvoy } = realEnvoy()
/** Where namespaces are forbidden; with CI=true it is tried, and fails. */
const skip =
  noEnvoy ||
  (process.env['CI'] !== 'true' &&
    spawnSync('unshare', ['--map-root-user', '--net', 'ip', 'link']).status !== 0 &&
    'needs unshare and ip, and user namespaces')
const cases = new URL('../render/testdata/', import.meta.url)
const inputs = fs.readdirSync(cases).filter((name) => name.endsWith('.in.yaml'))
/** Every address is the machine's own there, and every port may be bound. */
const anywhere = [
  'unshare',
  '--map-root-user',
  '--net',
  'sh',
  '-c',
  'ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo; exec "$@"',
  'envoy',
]

// Validated offline they are in render/envoy.test.ts; here they come by our ADS, as to any Envoy beside a program.
describe('a live Envoy acknowledges every golden case', { skip, concurrency: 2 }, () => {
  for (const input of inputs)
    test(input.replace('.in.yaml', ''), { timeout: 110_000 }, async (t) => {
      const { ads, model, workload, log } = await subscribed(
        t,
        besideEnvoy(modelFromYaml(fs.readFileSync(new URL(input, cases), 'utf8'))),
      )
      const proxy = { workload, kind: 'foreign' as const }
      const rendering = createRenderer().render(model, 'no PEM is read here')
      const wanted = (type: XdsType): number =>
        // Of route configurations only those that a listener names: the table of an Envoy, or those of a gateway.
        rendering.wildcard(type, proxy).filter((name) => type !== 'RDS' || !isServicePort(name)).length
      const serves = (): boolean =>
        (['LDS', 'CDS', 'RDS'] as const).every((type) => {
          const state = stateOf(ads, type)
          if (state === undefined) return wanted(type) === 0
          return state.synced && state.resources + state.rejected.length >= wanted(type)
        })
      while (!serves()) {
        t.signal.throwIfAborted()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      const refused = (ads.proxies()[0]?.types ?? []).flatMap(({ type, rejected }) =>
        rejected.map(({ name, reason }) => `${type} ${name}: ${reason}`),
      )
      assert.deepEqual(refused, [], log())
    })
  test('there is something to acknowledge', () => assert.ok(inputs.length > 40))
})

const isServicePort = (name: string): boolean => !name.startsWith(gatewayNames) && name !== envoyTableName

const stateOf = (ads: Ads, wanted: XdsType): ProxyState['types'][number] | undefined =>
  ads.proxies()[0]?.types.find(({ type }) => type === wanted)

/** The first workload with an Envoy, which takes its program's calls, so that all routes are its own. */
function besideEnvoy(model: Model): Model {
  const [first, ...rest] = model.workloads.values()
  assert.ok(first)
  const workload: Workload =
    first.gateway !== undefined
      ? first
      : {
          ...first,
          proxy: 'envoy',
          capture: undefined,
          outbound: first.outbound ?? { host: '127.0.0.1', port: 15_001 },
        }
  const all = [workload, ...rest].map((one) => [`${one.namespace}/${one.name}`, one] as const)
  return { ...model, workloads: new Map(all) }
}

/** An Envoy that has the first workload's place at an ADS of ours. */
async function subscribed(
  t: TestContext,
  model: Model,
): Promise<{ readonly ads: Ads; readonly model: Model; readonly workload: Workload; readonly log: () => string }> {
  const [workload] = model.workloads.values()
  assert.ok(workload)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-golden-'))
  const unixPath = path.join(folder, 'x.sock')
  const authority = await testAuthority()
  const trustBundlePem = settable(authority.caPem)
  const ads = createAds({
    model: settable(model),
    trustBundlePem,
    systemTrustPem: () => authority.caPem,
    clock: systemClock,
    log: silentLog,
  })
  const endpoint = await startGrpcEndpoint({
    unixPath,
    serverCertificate: settable({ keyPem: '', chainPem: '' }),
    clientTrustPem: trustBundlePem,
    services: [ads.service, agentSecrets(await authority.issue(workload.identity))],
    log: silentLog,
  })
  t.after(async () => {
    ads.close()
    await endpoint.close()
    fs.rmSync(folder, { recursive: true })
  })
  const id = `${workload.namespace}/${workload.name}`
  const { log } = await startEnvoy(t, { binary, folder, unixPath, id, prefix: anywhere })
  return { ads, model, workload, log }
}
