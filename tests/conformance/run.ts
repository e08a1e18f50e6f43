// npm run conformance -- CASES-DIR [--group GROUP] [--case NAME] [--jobs N]
// Runs the Gateway API cases of a folder, each against a mesh of its own; claims.ts says which apply.
import fs from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { notClaimed } from './claims.ts'
import { readCases, type Case } from './case.ts'
import { runCase, runOn } from './run-case.ts'
import { openStage } from './stage.ts'

const usage = 'npm run conformance -- CASES-DIR [--group GROUP] [--case NAME] [--jobs N]'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { group: { type: 'string' }, case: { type: 'string' }, jobs: { type: 'string', default: '1' } },
})
const [folder] = positionals
const jobs = Number(values.jobs)
if (folder === undefined || positionals.length > 1 || !Number.isInteger(jobs) || jobs < 1) stop(usage)
if (!fs.existsSync(`${folder}/cases`)) stop(`${folder}/cases is missing`)
const cases = readCases(folder).filter(
  ({ name, group }) =>
    (values.group === undefined || group === values.group) && (values.case === undefined || name === values.case),
)
if (cases.length === 0) stop(`no case of ${folder} fits`)

const counts = { passed: 0, failed: 0, skipped: 0 }
const waiting = [...cases]
await Promise.all(Array.from({ length: jobs }, () => work(path.resolve(folder))))
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1

type Run = (one: Case) => Promise<string | undefined>

async function work(place: string): Promise<void> {
  // The cases of gateways share their programs, as upstream does: a mesh for each would take most of the time.
  let shared: Awaited<ReturnType<typeof openStage>> | undefined
  const run: Run = async (one) => {
    if (!one.group.startsWith('gateway-')) return runCase(one, place)
    shared ??= await openStage(place)
    return runOn(shared.stage, one)
  }
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    console.log(`${one.group} ${one.name}: ${await resultOf(one, run)}`)
  }
  const left = await shared?.close()
  if (left === undefined) return
  counts.failed++
  console.log(`not taken down in order: ${left}`)
}

async function resultOf(one: Case, run: Run): Promise<string> {
  const reason = notClaimed(one.name, one.group, [...one.features, ...(one.alsoRequires ?? [])], one.unlessFeatures)
  if (reason !== undefined) {
    counts.skipped++
    return `not claimed: ${reason}`
  }
  const startMs = performance.now()
  const difference = await run(one)
  const took = `(${((performance.now() - startMs) / 1000).toFixed(1)} s)`
  counts[difference === undefined ? 'passed' : 'failed']++
  return difference === undefined ? `pass ${took}` : `FAIL ${took}: ${difference.replaceAll('\n', ' ')}`
}

function stop(sentence: string): never {
  console.error(sentence)
  process.exit(2)
}
