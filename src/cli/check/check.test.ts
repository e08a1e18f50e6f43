import assert from 'node:assert/strict'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { apiWorld } from '../../control/api/testing/api-world.ts'
import type { ProxyState } from '../../control/api/contract.ts'
import type { ProbeResult } from '../../proxy/probe.ts'
import { checkControlPlane, checkToken } from './control-plane.ts'
import { findingsText } from './finding.ts'
import { checkMachine, checkPort, type MachineParts } from './machine.ts'
import { probeSteps } from './probe-steps.ts'
import { judgeWorkload } from './workloads.ts'

const bare: MachineParts = {
  env: { PATH: '/nonexistent' },
  platform: 'linux',
  uid: 1000,
  kernelSetting: () => undefined,
  hostRules: () => ({ rules: undefined }),
  openNamespace: async () => ({ missing: 'this system forbids user namespaces: Operation not permitted' }),
}

test('what takes capture away is named with its remedy, and fails only those who insist on it', async () => {
  const settings: Record<string, string> = {
    'user/max_user_namespaces': '0',
    'kernel/unprivileged_userns_clone': '1',
    'kernel/apparmor_restrict_unprivileged_userns': '1',
  }
  const hostile = { ...bare, kernelSetting: (name: string) => settings[name] }
  const found = await checkMachine(hostile, 'auto')
  const of = (state: string): string[] => found.filter((one) => one.state === state).map(({ what }) => what)
  assert.ok(of('warning').includes('user.max_user_namespaces'))
  assert.ok(of('warning').includes('kernel.apparmor_restrict_unprivileged_userns'))
  assert.ok(!of('warning').includes('kernel.unprivileged_userns_clone'))
  assert.ok(of('warning').includes('capture namespace'))
  assert.deepEqual(of('failed'), [])
  assert.ok(found.every((one) => (one.state === 'ok') === (one.remedy === undefined)))

  const insisting = await checkMachine(hostile, 'namespace')
  assert.ok(insisting.some(({ what, state }) => what === 'capture namespace' && state === 'failed'))
  assert.match(findingsText(insisting), / {2}✗ capture namespace +this system forbids[^]*→ see above[^]*\d failed/)
  // Root goes without user namespaces, and explicit capture without any of it.
  const root = await checkMachine({ ...hostile, uid: 0 }, 'auto')
  assert.ok(!root.some(({ what }) => what.startsWith('kernel.')))
  assert.ok((await checkMachine(hostile, 'explicit')).every(({ state }) => state === 'ok'))
})

test('a namespace that could be made is closed again', async () => {
  let closed = 0
  const carrier = { missing: '`nft` failed: tproxy' }
  const opened = async () => ({ close: () => void closed++, carrier })
  const found = await checkMachine({ ...bare, openNamespace: opened }, 'namespace')
  assert.deepEqual(
    found.slice(-2).map(({ what, state }) => `${what} ${state}`),
    ['capture namespace ok', 'UDP warning'],
  )
  assert.match(found.at(-1)?.says ?? '', /can only be refused in a namespace: `nft` failed/)
  assert.equal(closed, 1)
})

test('rules for the whole machine must be there, and let the sidecar pass', async () => {
  const lastOf = async (hostRules: MachineParts['hostRules']): Promise<string> => {
    const last = (await checkMachine({ ...bare, hostRules }, 'host')).at(-1)
    return `${last?.what} ${last?.state}: ${last?.says}`
  }
  const rules = { exceptUsers: [1000], onlyUsers: [], exceptMarks: [], inboundPorts: [], exceptInboundPorts: [] }
  assert.match(await lastOf(() => ({ rules })), /^capture host ok/)
  assert.match(await lastOf(() => ({ rules: { ...rules, exceptUsers: [0] } })), /^capture host failed: .*would catch/)
  assert.match(await lastOf(() => ({ rules: undefined })), /^capture host failed: no rules/)
  assert.match(await lastOf(() => ({ failed: 'this needs root' })), /^capture host failed: this needs root/)
})

test('a control plane is asked for its version, its clock and the way to join', async (t) => {
  const startedMs = systemClock.wallMs()
  const info = { version: '1', trustDomain: 'weft.local', apiAddress: '127.0.0.1:2', rootHash: 'sha256:00' }
  const world = await apiWorld(t, { info: () => ({ ...info, xdsAddress: '127.0.0.1:1', timeMs: startedMs }) })
  const { dataDir } = world
  const place = { kind: 'socket', dataDir, socketPath: path.join(dataDir, 'api.sock'), isDefault: false } as const
  const ask = async (aheadMs: number, version = '1'): Promise<Record<string, string>> => {
    const clock = { ...systemClock, wallMs: () => startedMs + aheadMs }
    const { findings } = await checkControlPlane(place, { clock, version })
    return Object.fromEntries(findings.map(({ what, state, says }) => [what, `${state}: ${says}`]))
  }
  const agreeing = await ask(0)
  assert.match(agreeing['API'] ?? '', /^ok: Weft 1, trust domain weft\.local/)
  assert.match(agreeing['clock'] ?? '', /^ok/)
  assert.equal(agreeing['version'], undefined)
  // Nobody listens where it says that workloads join.
  assert.match(agreeing['xDS'] ?? '', /^failed: 127\.0\.0\.1:1: .*ECONNREFUSED/)
  assert.match(agreeing['agent socket'] ?? '', /^failed: unix:.*ENOENT/)
  assert.match((await ask(60_000))['clock'] ?? '', /^warning: the control plane's is 60 s behind this one/)
  assert.match((await ask(-600_000))['clock'] ?? '', /^failed: the control plane's is 600 s ahead of this one/)
  assert.match((await ask(0, '2'))['version'] ?? '', /^warning: this command line is 2/)
})

test('a join token that is none is told so', async () => {
  const [finding] = await checkToken('not a token', systemClock)
  assert.deepEqual([finding?.what, finding?.state], ['join token', 'failed'])
  assert.match(finding?.remedy ?? '', /weft token create/)
})

test('a port that somebody has is told with the flag that moves ours', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as AddressInfo
  const finding = await checkPort('port of xDS', { host: '127.0.0.1', port }, '--xds')
  assert.equal(finding.state, 'warning')
  assert.match(finding.remedy ?? '', /weft up --xds HOST:PORT/)
  assert.equal((await checkPort('port', { host: '127.0.0.1', port: 0 }, '--api')).state, 'ok')
})

test('a workload is in order when it is ready and its sidecar acknowledged all; else each reason is told', () => {
  const web = (ready: boolean): unknown => ({
    kind: 'Workload',
    metadata: { namespace: 'default', name: 'web-1' },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', message: 'port 8080 refuses' }] },
  })
  const inStep: ProxyState = {
    proxy: 'default/web-1',
    connected: true,
    forMs: 1000,
    revision: 3,
    types: [{ type: 'CDS', resources: 2, synced: true, rejected: [] }],
  }
  const states = (document: unknown, state: ProxyState | undefined): string =>
    judgeWorkload('default/web-1', document, state)
      .map((one) => `${one.state}: ${one.says}`)
      .join('\n')
  assert.equal(states(web(true), inStep), 'ok: ready, in step with what it was sent')
  assert.equal(states(web(false), inStep), 'failed: is not ready: port 8080 refuses')
  assert.equal(states(web(true), undefined), 'warning: has no sidecar')
  assert.equal(states(web(true), { ...inStep, connected: false }), 'failed: its sidecar has lost the control plane')
  const rejected = [{ name: 'default/web/80', reason: 'no such cluster' }]
  assert.equal(
    states(web(true), { ...inStep, types: [{ type: 'RDS', resources: 1, synced: false, rejected }] }),
    'failed: refused RDS default/web/80: no such cluster',
  )
})

test('a probe names the first step that fails, with what to do', () => {
  const reached = {
    service: 'default/web/80',
    protocol: 'http',
    endpoint: '127.0.0.1:4000',
    workload: 'default/web-1',
    tookMs: 3,
  } as const
  const lastOf = (result: ProbeResult): string => {
    const last = probeSteps({ from: 'default/client-1', to: 'web', result }).at(-1)
    return `${last?.what} ${last?.state}${last?.state === 'ok' ? '' : ' →'}${last?.remedy === undefined ? '' : ' remedy'}`
  }
  const principal = 'spiffe://weft.local/ns/default/sa/web'
  const fault = (
    kind: 'connect-failed' | 'tls-failed' | 'not-processed' | 'no-endpoint',
  ): NonNullable<ProbeResult['fault']> => ({
    kind,
    sentence: 'it went wrong',
  })
  assert.equal(lastOf({ ...reached, principal, status: 404 }), 'program ok')
  assert.equal(lastOf({ ...reached, principal, status: 502 }), 'program failed → remedy')
  assert.equal(lastOf({ ...reached, fault: fault('connect-failed') }), 'connect failed → remedy')
  assert.equal(lastOf({ ...reached, fault: fault('tls-failed') }), 'mTLS failed → remedy')
  assert.equal(lastOf({ ...reached, principal, fault: fault('not-processed') }), 'program failed → remedy')
  const { endpoint: _endpoint, workload: _workload, ...nowhere } = reached
  assert.equal(lastOf({ ...nowhere, fault: fault('no-endpoint') }), 'endpoint failed → remedy')
  assert.equal(lastOf({ tookMs: 0 }), 'name failed → remedy')
  // Plain text works, and is worth knowing.
  const plain = probeSteps({ from: 'a', to: 'web', result: { ...reached, status: 200 } })
  assert.deepEqual(
    plain.map(({ what, state }) => `${what} ${state}`),
    ['name ok', 'endpoint ok', 'connect ok', 'mTLS warning', 'program ok'],
  )
})
