import { randomUUID } from 'node:crypto'
import { until } from '../world/until.ts'
import { keyOf, type Case, type Manifest, type Step } from './case.ts'
import { backendOf, firstDifference, shareDifference } from './compare.ts'
import { filledSlices } from './endpoint-slices.ts'
import { mirrorCounts, mirrorCountsDifference, mirroredDifference } from './mirrors.ts'
import { send } from './send.ts'
import { apply, clear, openStage, prepare, readResource, sentence, type Stage } from './stage.ts'
import { statusDifference } from './status.ts'

/** Until a step's answers fit. Upstream waits 30 s. */
const stepMs = 15_000
/** So many answers in a row must fit, as upstream has it. */
const inARow = 3

/** Runs one case in a world of its own. The first difference, or undefined: passed. Nothing is left behind. */
export async function runCase(one: Case, folder: string): Promise<string | undefined> {
  try {
    const { stage, close } = await openStage(folder)
    const difference = await runOn(stage, one)
    const left = await close()
    return difference ?? left
  } catch (error) {
    return sentence(error)
  }
}

/** Runs one case on a stage that has seen others. */
export async function runOn(stage: Stage, one: Case): Promise<string | undefined> {
  try {
    await prepare(stage, one)
    for (const step of one.steps) {
      const difference = await runStep(step, stage)
      if (difference !== undefined) return `${step.name ?? step.type}: ${difference}`
    }
    return undefined
  } catch (error) {
    return sentence(error)
  } finally {
    await clear(stage)
  }
}

/** The first difference that is left when the time is over; undefined: the step holds. */
async function runStep(step: Step, stage: Stage): Promise<string | undefined> {
  const { world, manifests } = stage
  switch (step.type) {
    case 'request':
      return inTime(async () => differenceOf(step, stage, step.count ?? inARow))
    case 'sample':
      return differenceOf(step, stage, step.count ?? 1)
    case 'distribution':
      return distribution(step, stage)
    case 'mirrorDistribution':
      return mirrorDistribution(step, stage)
    case 'sleep':
      await new Promise((resolve) => setTimeout(resolve, step.ms ?? 0))
      return undefined
    case 'apply':
      if (step.manifest === undefined) return 'nothing to apply'
      manifests.set(keyOf(step.manifest.kind, step.manifest.metadata), step.manifest)
      await apply(stage, [step.manifest])
      return undefined
    case 'fillEndpointSlice':
      await apply(stage, filledSlices(step, stage))
      return undefined
    case 'patch': {
      const key = step.resource && keyOf(step.resource.kind, step.resource)
      const before = key && manifests.get(key)
      if (key === undefined || before === undefined || before === '') return 'the resource to patch is not in the case'
      const after = mergePatch(before, step.mergePatch) as Manifest
      manifests.set(key, after)
      await apply(stage, [after])
      return undefined
    }
    case 'delete': {
      const { kind, name, namespace = 'default' } = step.resource ?? { kind: '', name: '' }
      const { status, out, err } = await world.weft(['delete', kind.toLowerCase(), name, '--namespace', namespace])
      manifests.delete(keyOf(kind, { name, namespace }))
      return status === 0 ? undefined : `weft delete: ${out}${err}`
    }
    default:
      return inTime(() => statusDifference(step, (wanted) => readResource(stage, wanted)))
  }
}

/** Tries until there is no difference, at most `stepMs`; the last one otherwise. */
async function inTime(attempt: () => Promise<string | undefined>): Promise<string | undefined> {
  let difference: string | undefined
  try {
    await until('', async () => (difference = await attempt()) === undefined, { withinMs: stepMs })
    return undefined
  } catch (error) {
    return difference ?? sentence(error)
  }
}

const withFreshIds = (step: Step): Step => JSON.parse(JSON.stringify(step).replaceAll('__UUID__', randomUUID())) as Step

async function differenceOf(step: Step, stage: Stage, times: number): Promise<string | undefined> {
  // Each request has an id of its own, by which backends count.
  const rounds = JSON.stringify(step).includes('__UUID__') ? times : 1
  for (let left = rounds; left > 0; left--) {
    const difference = await differenceOnce(withFreshIds(step), stage, rounds === 1 ? times : 1)
    if (difference !== undefined) return difference
  }
  return undefined
}

async function differenceOnce(fresh: Step, stage: Stage, times: number): Promise<string | undefined> {
  const { url, replies } = await send(fresh, stage, times)
  for (const reply of replies) {
    const difference =
      firstDifference(reply, url, fresh.expect ?? {}) ??
      (fresh.expectSpec && firstDifference(reply, url, fresh.expectSpec))
    if (difference !== undefined) return difference
  }
  return mirroredDifference(fresh, stage)
}

async function distribution(step: Step, stage: Stage): Promise<string | undefined> {
  let difference: string | undefined
  for (let left = step.retries ?? 0; left >= 0; left--) {
    const { url, replies } = await send(step, stage, step.count ?? 1)
    difference =
      replies.map((reply) => firstDifference(reply, url, step.expect ?? {})).find((one) => one !== undefined) ??
      shareDifference(replies.map(backendOf), step.expect ?? {})
    if (difference === undefined) return undefined
  }
  return difference
}

async function mirrorDistribution(step: Step, stage: Stage): Promise<string | undefined> {
  let difference: string | undefined
  for (let left = step.retries ?? 0; left >= 0; left--) {
    const fresh = withFreshIds(step)
    const before = await mirrorCounts(fresh, stage)
    await send(fresh, stage, step.count ?? 1)
    difference = await mirrorCountsDifference(fresh, stage, before)
    if (difference === undefined) return undefined
  }
  return difference
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
