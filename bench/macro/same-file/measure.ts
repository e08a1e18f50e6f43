import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { makeCertificates } from '../certificates.ts'
import { findProgram } from '../command.ts'
import { cpuNs, freePort, residentMb, type Running as Process } from '../process.ts'
import { formatTable, median } from '../statistics.ts'
import { warmUpSeconds, type Started } from '../subject.ts'
import { contenders, startProxies } from './proxies.ts'
import type { Got } from './loads.ts'
import type { Scenario } from './scenarios.ts'

export interface Options {
  readonly rounds: number
  readonly seconds: number
}

/** One contender's rounds. */
export interface Result extends Latency {
  readonly name: string
  readonly version: string
  /** µs of CPU a request, or ms a GB; all proxies together. */
  readonly cpu: readonly number[]
  readonly unitsPerSecond: readonly number[]
  readonly residentMb: number
  readonly voided: number
}

export interface ScenarioReport {
  readonly title: string
  readonly unit: Scenario['unit']
  readonly results: readonly Result[]
  /** What the backend takes when it is asked by itself, µs of each round, where latency was noted. */
  readonly direct: Latency
  readonly skipped: readonly string[]
}

/** µs of each round, where they were noted. */
interface Latency {
  readonly p50: number[]
  readonly p99: number[]
}

interface Running {
  readonly name: string
  readonly version: string
  readonly started: Started
  readonly result: { -readonly [K in keyof Pick<Result, 'voided' | 'residentMb'>]: Result[K] } & {
    readonly cpu: number[]
    readonly unitsPerSecond: number[]
  } & Latency
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0)
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN

/** A scenario whose proxies are up. */
interface Stage {
  readonly scenario: Scenario
  readonly dir: string
  readonly backendPort: number
  readonly backend: Process
  readonly running: Running[]
  readonly direct: Latency
  readonly skipped: string[]
}

/** All contenders of all scenarios stay up; the load goes from one to the next, round after round. A round with a failure is void. */
export async function measureScenarios(
  scenarios: readonly Scenario[],
  { rounds, seconds }: Options,
  say: (line: string) => void,
): Promise<readonly ScenarioReport[]> {
  for (const [program, install] of [
    ['h2load', 'apt-get install nghttp2-client'],
    ['nginx', 'apt-get install nginx-light'],
    ['curl', 'apt-get install curl'],
  ] as const)
    if (findProgram(program) === undefined) throw new Error(`${program} is missing: ${install}`)
  const stages: Stage[] = []
  try {
    for (const scenario of scenarios) {
      const stage = await openStage(scenario)
      stages.push(stage)
      await startContenders(stage)
    }
    for (let round = 1; round <= rounds; round++)
      for (const { scenario, dir, running, backendPort, direct } of stages) {
        if (round === 1) say(scenario.title)
        if (scenario.paced) note(await scenario.load(backendPort, dir, seconds), direct)
        for (const one of running) await measure(one, scenario, { dir, seconds, round, say })
      }
    return stages.map(({ scenario: { title, unit }, running, direct, skipped }) => ({
      title,
      unit,
      results: running.map(({ name, version, result }) => ({ name, version, ...result })),
      direct,
      skipped,
    }))
  } finally {
    for (const { dir, backend, running } of stages) {
      for (const { started } of running) await started.stop()
      await backend.stop()
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
}

async function openStage(scenario: Scenario): Promise<Stage> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-bench-'))
  const backendPort = await freePort()
  const backend = await scenario.backend(path.join(dir, 'backend'), backendPort)
  return { scenario, dir, backendPort, backend, running: [], direct: { p50: [], p99: [] }, skipped: [] }
}

/** Starts every one that is installed, and warms it up. */
async function startContenders({ scenario, dir, backendPort, running, skipped }: Stage): Promise<void> {
  const certificates = makeCertificates(dir)
  for (const contender of contenders) {
    const found = contender.find()
    if ('missing' in found) {
      skipped.push(`${contender.name}: ${found.missing}`)
      continue
    }
    const started = await startProxies(contender, scenario.work, { dir, backendPort, certificates })
    const result = { cpu: [], unitsPerSecond: [], p50: [], p99: [], residentMb: 0, voided: 0 }
    running.push({ name: contender.name, version: found.version, started, result })
  }
  for (const { started } of running) await (scenario.warmUp ?? scenario.load)(started.port, dir, warmUpSeconds)
}

async function measure(
  { name, started, result }: Running,
  { unit, load }: Scenario,
  { dir, seconds, round, say }: { dir: string; seconds: number; round: number; say: (line: string) => void },
): Promise<void> {
  const pids = started.proxies.flatMap((proxy) => proxy.pids)
  const before = sum(pids.map(cpuNs))
  const began = performance.now()
  const got = await load(started.port, dir, seconds)
  const { units, errors } = got
  const tookSeconds = (performance.now() - began) / 1000
  const spentNs = sum(pids.map(cpuNs)) - before
  if (errors > 0 || units === 0) {
    result.voided++
    say(`  round ${round} ${name}: VOID, ${errors} failed`)
    return
  }
  // µs a request; ms a GB is ns a kB, which is the same number times a thousand.
  const cpu = unit === 'req' ? spentNs / 1000 / units : spentNs / 1e6 / (units / 1e9)
  result.cpu.push(cpu)
  result.unitsPerSecond.push(units / tookSeconds)
  result.residentMb = Math.max(result.residentMb, sum(pids.map(residentMb)))
  note(got, result)
  say(`  round ${round} ${name}: ${cpu.toFixed(1)} ${cpuUnit(unit)}`)
}

function note({ latencyUs }: Got, { p50, p99 }: Latency): void {
  if (latencyUs.length === 0) return
  const sorted = latencyUs.toSorted((a, b) => a - b)
  p50.push(quantile(sorted, 0.5))
  p99.push(quantile(sorted, 0.99))
}

const cpuUnit = (unit: Scenario['unit']): string => (unit === 'req' ? 'µs CPU/req' : 'ms CPU/GB')

/** A table, and the first one's CPU beside each of the others'. */
export function formatScenario({ title, unit, results, direct, skipped }: ScenarioReport): string {
  const withLatency = direct.p50.length > 0
  const ms = (all: readonly number[], without: readonly number[] = []): string =>
    ((median(all) - (without.length === 0 ? 0 : median(without))) / 1000).toFixed(2)
  const per = unit === 'req' ? 'req/s' : 'MB/s'
  const rows = results.map(({ name, version, cpu, unitsPerSecond, p50, p99, residentMb: mb, voided }) => [
    `${name} ${version}`,
    median(cpu).toFixed(1),
    Math.min(...cpu).toFixed(1),
    (median(unitsPerSecond) / (unit === 'req' ? 1 : 1e6)).toFixed(0),
    ...(withLatency ? [ms(p50), ms(p99), ms(p50, direct.p50), ms(p99, direct.p99)] : []),
    mb.toFixed(0),
    `${cpu.length}${voided > 0 ? ` (${voided} void)` : ''}`,
  ])
  const head = [
    '',
    cpuUnit(unit),
    'min',
    per,
    ...(withLatency ? ['p50 ms', 'p99 ms', 'added', 'added'] : []),
    'MB',
    'rounds',
  ]
  const [first, ...others] = results
  const ratios = others.map(
    (other) => `${first?.name} / ${other.name}: ${(median(first?.cpu ?? []) / median(other.cpu)).toFixed(2)}`,
  )
  return [
    title,
    formatTable([head, ...rows]),
    ...(withLatency ? [`the backend by itself: p50 ${ms(direct.p50)} ms, p99 ${ms(direct.p99)} ms`] : []),
    `ratio of medians: ${ratios.join(', ') || 'nothing to compare with'}`,
    ...skipped.map((line) => `  skipped ${line}`),
  ].join('\n')
}
