// npm run conformance -- CASES-DIR [--group GROUP] [--case NAME] [--jobs N]
// Runs the Gateway API cases of a folder, each against a mesh of its own; claims.ts says which apply.
import fs from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { notClaimed } from './claims.ts'
import { readCases, type Case } from './case.ts'
import { runCase } from './run-case.ts'

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
// What the worlds have started goes with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const counts = { passed: 0, failed: 0, skipped: 0 }
const waiting = [...cases]
await Promise.all(Array.from({ length: jobs }, () => work(path.resolve(folder))))
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1

async function work(place: string): Promise<void> {
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    console.log(`${one.group} ${one.name}: ${await resultOf(one, place)}`)
  }
}

async function resultOf(one: Case, place: string): Promise<string> {
  const reason = notClaimed(one.group, [...one.features, ...(one.alsoRequires ?? [])], one.unlessFeatures)
  if (reason !== undefined) {
    counts.skipped++
    return `not claimed: ${reason}`
  }
  const startMs = performance.now()
  const difference = await runCase(one, place)
  const took = `(${((performance.now() - startMs) / 1000).toFixed(1)} s)`
  counts[difference === undefined ? 'passed' : 'failed']++
  return difference === undefined ? `pass ${took}` : `FAIL ${took}: ${difference.replaceAll('\n', ' ')}`
}

function stop(sentence: string): never {
  console.error(sentence)
  process.exit(2)
}
