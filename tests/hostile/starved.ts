import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf } from '../world/world.ts'

const policy = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  healthChecks: { http: { path: /ready }, interval: 500ms, timeout: 500ms, unhealthyThreshold: 2 }
`
/** Applied while the sidecar has next to no CPU. */
const change = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-new, value: "yes" }] } }]
      backendRefs: [{ name: web, port: 80 }]
`

/** A control group that leaves its processes a tenth of a core; undefined where this machine lets nobody make one. */
function tenthOfACore(t: TestContext, pid: number): { readonly throttled: () => number } | undefined {
  const v1 = '/sys/fs/cgroup/cpu'
  const isV1 = fs.existsSync(path.join(v1, 'cpu.cfs_quota_us')) || fs.existsSync(path.join(v1, 'cgroup.procs'))
  const folder = path.join(isV1 ? v1 : '/sys/fs/cgroup', `weft-starved-${pid}`)
  try {
    fs.mkdirSync(folder)
    t.after(() => fs.rmdirSync(folder))
    if (isV1) {
      fs.writeFileSync(path.join(folder, 'cpu.cfs_period_us'), '100000')
      fs.writeFileSync(path.join(folder, 'cpu.cfs_quota_us'), '10000')
    } else fs.writeFileSync(path.join(folder, 'cpu.max'), '10000 100000')
    fs.writeFileSync(path.join(folder, 'cgroup.procs'), String(pid))
  } catch (error) {
    const sentence = `needs a control group for CPU that may be written to (run as root): ${String(error)}`
    if (process.env['CI'] === 'true') throw new Error(sentence)
    t.skip(sentence)
    return undefined
  }
  const stat = path.join(folder, 'cpu.stat')
  return { throttled: () => Number(/nr_throttled (\d+)/.exec(fs.readFileSync(stat, 'utf8'))?.[1]) }
}

/**
 * A calling sidecar with a tenth of a core and more work than it can do, for so long: health checks and the stream to the control
 * plane live, nobody is ejected for our own slowness, no call is lost, and the figures tell who is slow.
 */
export async function starved(t: TestContext, seconds: number): Promise<void> {
  if (!requires(t, 'linux', 'curl', 'root')) return
  const world = createWorld(t)
  const controlPlane = await world.up()
  const [client] = await Promise.all([
    world.run('client', { port: 0 }),
    ...['a', 'b', 'c'].map((version) => world.run('web', { says: version, labels: [`version=${version}`] })),
  ])
  await world.apply(policy)
  await world.curlUntil(client, 'http://web/', 200)
  const figures = async (): Promise<string> => (await fetch(`${client.adminUrl}/metrics`)).text()
  const countOf = (result: 'passed' | 'failed', text: string): number =>
    Number(new RegExp(`^weft_health_checks_total\\{[^}]*result="${result}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  const passed = async (): Promise<number> => countOf('passed', await figures())
  await until('every instance is checked', async () => (await passed()) >= 3)

  const group = tenthOfACore(t, sidecarOf(client))
  if (group === undefined) return
  const before = await passed()
  const load = startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond: 60 })
  // Work beside the calls, so that the quota is always used up: all figures again and again.
  const busy = new AbortController()
  const asking = (async () => {
    while (!busy.signal.aborted) await figures()
  })()
  await sleep(seconds * 500)
  await world.apply(change)
  await until(
    'the change has come while CPU was short',
    async () => /^x-new: yes/im.test((await world.curl(client, 'http://web/', { args: ['-i'] })).body),
    { withinMs: 30_000 },
  )
  await sleep(seconds * 500)
  busy.abort()
  await asking
  await load.stop()

  // On a busy machine others take the CPU before the quota does.
  assert.ok(group.throttled() > 0, 'the quota was never used up')
  const text = await figures()
  assert.deepEqual(load.failures(), [])
  assert.doesNotMatch(text, /^weft_outlier_ejections_total\{[^}]*\} [1-9]/m)
  const checks = (await passed()) - before
  // A check that was late by our own doing is one of two that it takes; it must stay the exception.
  const failed = countOf('failed', text)
  assert.ok(failed * 20 <= checks, `${failed} checks failed`)
  assert.ok(checks >= seconds * 3, `${checks} checks of three instances in ${seconds} s, two a second each`)
  assert.doesNotMatch(
    `${client.child.err}${controlPlane.child.err}`,
    /no answer to a PING|stream (was )?lost|reconnect/i,
  )
  const late =
    Number(/^weft_event_loop_delay_seconds_count (\d+)/m.exec(text)?.[1]) -
    Number(/^weft_event_loop_delay_seconds_bucket\{le="0.025"\} (\d+)/m.exec(text)?.[1])
  assert.ok(late > 0, 'no turn of the event loop came late')
  t.diagnostic(
    `${load.visits.length} calls, ${checks} checks, throttled ${group.throttled()} times, ${late} late turns`,
  )
}
