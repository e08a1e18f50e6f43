import { until } from '../world/until.ts'
import type { Step } from './case.ts'
import type { Stage } from './stage.ts'

/** The paths that a backend's pods have been asked for so far, by their own account. */
async function pathsOf({ pods, world }: Stage, backend: string): Promise<readonly string[]> {
  const logs = (pods.get(backend) ?? []).flatMap(({ listens }) =>
    [...listens.values()].slice(0, 1).map(async (port) => {
      const { body } = await world.curl(undefined, `http://127.0.0.1:${port}/__log`)
      return (JSON.parse(body) as readonly { path?: string; url?: string }[]).map((one) => one.path ?? one.url ?? '')
    }),
  )
  return (await Promise.all(logs)).flat()
}

const keyOfBackend = ({ service = '', namespace = 'default' }: { service?: string; namespace?: string }): string =>
  `${namespace}/${service}`

/** Whether those that should have got a copy of the request have; each request has a path of its own. */
export async function mirroredDifference({ request, expect }: Step, stage: Stage): Promise<string | undefined> {
  for (const mirror of expect?.mirroredTo ?? []) {
    try {
      await until('', async () => (await pathsOf(stage, keyOfBackend(mirror))).includes(request?.path ?? '/'), {
        withinMs: 3000,
      })
    } catch {
      return `${mirror.service} got no copy of ${request?.path}`
    }
  }
  return undefined
}

type Counts = ReadonlyMap<string, number>

/** How many requests of this path each mirror has seen. */
export async function mirrorCounts({ request, expect }: Step, stage: Stage): Promise<Counts> {
  const counts = new Map<string, number>()
  for (const mirror of expect?.mirroredTo ?? []) {
    const paths = await pathsOf(stage, keyOfBackend(mirror))
    counts.set(keyOfBackend(mirror), paths.filter((one) => one === request?.path).length)
  }
  return counts
}

/** Copies are sent without anybody waiting for them: a moment for the last ones. */
const settleMs = 500

/** Whether each mirror saw as many copies as it should. */
export async function mirrorCountsDifference(step: Step, stage: Stage, before: Counts): Promise<string | undefined> {
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  const after = await mirrorCounts(step, stage)
  for (const mirror of step.expect?.mirroredTo ?? []) {
    const key = keyOfBackend(mirror)
    const seen = (after.get(key) ?? 0) - (before.get(key) ?? 0)
    const { min = 0, max = Infinity } = mirror
    if (seen < min || seen > max) return `${key} got ${seen} copies, expected ${min} to ${max}`
  }
  return undefined
}
