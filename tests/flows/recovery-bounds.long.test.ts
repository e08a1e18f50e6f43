import assert from 'node:assert/strict'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad, type SteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload } from '../world/world.ts'

const moody = path.join(import.meta.dirname, '../world/programs/moody.mjs')

type Mood = 'well' | '503' | 'slow' | 'hole' | 'reset' | 'broken'

const policy = ({ retriesAtOnce, ejectAfter }: Rules): string => `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ kind: Namespace, name: default }]
  locality: { prefer: Zone }
  timeouts: { perTry: 1s }
  outlierDetection: { consecutive5xxErrors: ${ejectAfter}, maxEjectionPercent: 50 }
  retries: { on: [connect-failure, reset, gateway-error], budget: { percent: 20, minConcurrent: ${retriesAtOnce} } }
`

interface Rules {
  /** In any case: a busy machine sends many calls together. */
  readonly retriesAtOnce: number
  /** Failures in a row. */
  readonly ejectAfter: number
}

interface Patients {
  readonly instances: readonly Workload[]
  /** From now on these are so. */
  readonly become: (mood: Mood, which: readonly Workload[]) => Promise<void>
  /** Requests that have come to all of these. */
  readonly taken: (which: readonly Workload[]) => Promise<number>
  readonly load: (ratePerSecond: number) => SteadyLoad
}

/** Four instances, and a caller in the zone of the first two. */
async function patients(
  t: TestContext,
  { retriesAtOnce = 100, ejectAfter = 5 }: Partial<Rules> = {},
): Promise<Patients> {
  const world = createWorld(t)
  await world.up()
  const run = async (name: string, zone: string): Promise<Workload> => {
    const port = await freePort()
    const command = (report: string): readonly string[] => [process.execPath, moody, name, String(port), report]
    return world.run('web', { port, command, args: ['--locality', `eu/${zone}`] })
  }
  const near = 'eu-1'
  const [client, ...instances] = await Promise.all([
    world.run('client', { port: 0, args: ['--locality', `eu/${near}`] }),
    run('a', near),
    run('b', near),
    run('c', 'eu-2'),
    run('d', 'eu-2'),
  ])
  const applied = await world.weft(['apply', '--wait', '-f', '-'], {
    input: policy({ retriesAtOnce, ejectAfter }),
  })
  assert.equal(applied.status, 0, applied.err)
  await until('all four are known to be well', async () => {
    const { out } = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])
    return (out.match(/ healthy, in eu\/eu-/g) ?? []).length === 4
  })
  const ask = async ({ port }: Workload, what: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/${what}`)).text()
  return {
    instances,
    async become(mood, which) {
      for (const one of which) assert.equal(await ask(one, `mood/${mood}`), mood)
    },
    async taken(which) {
      const counts = await Promise.all(which.map((one) => ask(one, 'taken')))
      return counts.reduce((sum, count) => sum + Number(count), 0)
    },
    load: (ratePerSecond) =>
      startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond, tell: ({ body }) => body }),
  }
}

/** One of the caller's zone falls ill while 100 GETs a second come: so many may fail, and so many more than these may come to the programs. */
const ills: Readonly<Partial<Record<Mood, { readonly failed: number; readonly extra: number }>>> = {
  // Five in a row, those that were under way then, and the trials of who balances by latency.
  '503': { failed: 0, extra: 40 },
  reset: { failed: 0, extra: 40 },
  // A second of its share, before the first is given up.
  hole: { failed: 0, extra: 90 },
  slow: { failed: 0, extra: 20 },
  // Nobody can take back half a reply; who breaks replies is ejected like others.
  broken: { failed: 20, extra: 20 },
}

for (const [mood, bound] of Object.entries(ills)) {
  test(`recovery: one of two near instances is ill (${mood}): at most ${bound.failed} GETs fail, at most ${bound.extra} more are made`, async (t) => {
    if (!requires(t, 'linux')) return
    const { instances, become, taken, load: start } = await patients(t)
    const load = start(100)
    await load.more(100)
    const [first] = instances
    assert.ok(first)
    await become(mood as Mood, [first])
    await load.more(300)
    await become('well', [first])
    await load.more(50)
    await load.stop()
    const extra = (await taken(instances)) - load.visits.length
    t.diagnostic(`${load.visits.length} calls, ${load.failures().length} failed, ${extra} more were made`)
    assert.ok(load.failures().length <= bound.failed, load.failures().join('\n'))
    assert.ok(extra <= bound.extra, `${extra} more`)
  })
}

test('recovery: half of a zone is dead: the other half keeps its part, the next zone takes what is missing, and no GET fails', async (t) => {
  if (!requires(t, 'linux')) return
  const { instances, become, load: start } = await patients(t, { ejectAfter: 1 })
  const load = start(100)
  await load.more(100)
  const [first] = instances
  assert.ok(first)
  await become('reset', [first])
  await load.more(100)
  const before = load.visits.length
  await load.more(200)
  await load.stop()
  assert.deepEqual(load.failures(), [])
  const later = load.visits.slice(before).map(({ told }) => told)
  const share = (names: readonly string[]): number => later.filter((told) => names.includes(told)).length / later.length
  t.diagnostic(`b has ${share(['b'])}, c and d ${share(['c', 'd'])}`)
  // 50 % are well, which counts for 70 % of the calls.
  assert.ok(share(['b']) > 0.5 && share(['b']) < 0.9, `${share(['b'])}`)
})

test('recovery: all are ill for a while: the budget bounds what retries add, and afterwards nothing is left of it', async (t) => {
  if (!requires(t, 'linux')) return
  const { instances, become, taken, load: start } = await patients(t, { retriesAtOnce: 3 })
  const load = start(300)
  await load.more(100)
  const before = { sent: load.visits.length, taken: await taken(instances) }
  await become('503', instances)
  await load.more(600)
  const sent = load.visits.length - before.sent
  const extra = (await taken(instances)) - before.taken - sent
  await become('well', instances)
  await load.more(150)
  const afterwards = load.visits.length
  await load.more(150)
  await load.stop()
  t.diagnostic(`${sent} calls, ${extra} more were made`)
  // Without a budget each would be made three times.
  assert.ok(extra <= sent, `${extra} more for ${sent}`)
  assert.deepEqual(
    load.visits.slice(afterwards).filter(({ outcome }) => outcome !== '200'),
    [],
  )
})
