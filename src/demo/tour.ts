import fs from 'node:fs'
import path from 'node:path'
import { withWeights } from './bookshop.ts'
import { edges, takeReading } from './figures.ts'
import { httpGet } from './http-get.ts'
import { edgesTable } from './page.ts'
import type { LoadCount, World } from './world.ts'

/** Tells, one after the other, what a mesh is for, with the figures of this one. Rejects when the mesh does not do what is told. */
export async function tour(world: World, say: (text: string) => void): Promise<void> {
  await split(world, say)
  await denied(world, say)
  await killed(world, say)
  await encrypted(world, say)
}

/** Where the demo keeps the resource files that it made, with a slash at the end. */
export function planFolder({ dataDir, examples }: Pick<World, 'dataDir' | 'examples'>): string {
  const folder = path.join(dataDir, 'plans')
  fs.mkdirSync(folder, { recursive: true })
  const even = withWeights(fs.readFileSync(path.join(examples, 'split.yaml'), 'utf8'), 50, 50)
  fs.writeFileSync(path.join(folder, 'split-50-50.yaml'), even)
  return `${folder}/`
}

const watchMs = 5000

async function observed(world: World, ms: number): Promise<LoadCount> {
  const before = await world.load()
  await world.pause(ms)
  const now = await world.load()
  const versions = Object.entries(now.versions).map(
    ([name, count]) => [name, count - (before.versions[name] ?? 0)] as const,
  )
  return {
    ...now,
    sent: now.sent - before.sent,
    ok: now.ok - before.ok,
    failed: now.failed - before.failed,
    versions: Object.fromEntries(versions),
  }
}

const shares = ({ versions }: LoadCount): string =>
  `v1 ${versions['catalog v1'] ?? 0}, v2 ${versions['catalog v2'] ?? 0}`

async function split(world: World, say: (text: string) => void): Promise<void> {
  say('\n1 · Traffic is split by weights\n')
  say(`  weights 90/10: answers in ${watchMs / 1000} s from catalog ${shares(await observed(world, watchMs))}\n`)
  const file = `${planFolder(world)}split-50-50.yaml`
  const startMs = world.clock.nowMs()
  const { status, output } = await world.weft('apply', '-f', file)
  if (status !== 0) throw new Error(`weft apply failed:\n${output}`)
  say(`  weft apply -f split-50-50.yaml (took ${Math.round(world.clock.nowMs() - startMs)} ms)\n`)
  const after = await observed(world, watchMs)
  say(`  weights 50/50: answers in ${watchMs / 1000} s from catalog ${shares(after)}, ${after.failed} failed\n`)
}

async function denied(world: World, say: (text: string) => void): Promise<void> {
  say('\n2 · Who may call whom is decided by proven identity\n')
  const reviews = world.instances().find(({ service }) => service === 'reviews')
  const { status, text } = await httpGet(`http://127.0.0.1:${reviews?.port ?? 0}/call/orders`)
  say(`  reviews → orders: ${status} ${text.trim()}\n  storefront → orders goes on: same address, other identity\n`)
}

async function killed(world: World, say: (text: string) => void): Promise<void> {
  say('\n3 · An instance dies, and nobody notices\n')
  const victim = world.instances().findLast(({ service }) => service === 'reviews')
  if (victim === undefined) return
  const before = await world.load()
  world.kill(victim)
  say(`  kill -9 ${victim.id}: program, sidecar and agent (group ${victim.child.pid}) at once\n`)
  await world.pause(watchMs)
  const now = await world.load()
  say(`  visits since: ${now.sent - before.sent}, failed: ${now.failed - before.failed}\n`)
  for (const failure of now.failed > before.failed ? now.lastFailures : []) say(`    ${failure}\n`)
  const { calls, onDemand, id, service, version } = victim
  await world.start({ id, service, version, ...(calls && { calls }), ...(onDemand && { onDemand }) })
  say(`  a new ${victim.id} was started and takes its share again\n`)
}

async function encrypted(world: World, say: (text: string) => void): Promise<void> {
  say('\n4 · Every edge is encrypted, and both ends are known\n')
  say(edgesTable(edges(await takeReading(world.instances(), world.clock))))
}
