import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { formatEnrolment, measureEnrolment } from './macro/enrolment.ts'
import { formatReport, measureHttp1 } from './macro/http1.ts'
import { formatScenario, measureScenarios } from './macro/same-file/measure.ts'
import { formatMemory, measureMemory } from './macro/same-file/memory.ts'
import { scenarios } from './macro/same-file/scenarios.ts'

const usage = `npm run bench -- ${[...Object.keys(scenarios), 'memory', 'enrolment'].join('|')} [--json FILE] [--rounds N] [--seconds S]
npm run bench -- http1|http1-mtls [--json FILE] [--rounds N] [--seconds S] [--connections C] [--only NAME,NAME]
bench/README.md says what is measured and how the peers are installed.
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
      only: { type: 'string', default: '' },
    },
  })
  const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number)
  const isCount = (value: number | undefined): value is number => Number.isInteger(value) && (value ?? 0) > 0
  const chosen = scenarios[positionals.join()]
  if (
    (!['http1', 'http1-mtls', 'memory', 'enrolment'].includes(positionals.join()) && chosen === undefined) ||
    !isCount(rounds) ||
    !isCount(seconds) ||
    !isCount(connections)
  ) {
    process.stderr.write(usage)
    return 2
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  if (positionals.join() === 'memory') {
    const measured = await measureMemory(say)
    process.stdout.write(`\n${formatMemory(measured)}\n`)
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(measured, null, 2)}\n`)
    return 0
  }
  if (positionals.join() === 'enrolment') {
    const measured = await measureEnrolment(rounds, say)
    process.stdout.write(`\n${formatEnrolment(measured)}\n`)
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(measured, null, 2)}\n`)
    return 0
  }
  if (chosen !== undefined) {
    const reports = await measureScenarios(chosen, { rounds, seconds }, say)
    for (const report of reports) process.stdout.write(`\n${formatScenario(report)}\n`)
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`)
    return reports.some(({ results }) => results.some(({ cpu }) => cpu.length === 0)) ? 1 : 0
  }
  const only = values.only.split(',').filter((name) => name !== '')
  const options = { mtls: positionals.join() === 'http1-mtls', rounds, seconds, connections, only }
  const report = await measureHttp1(options, say)
  process.stdout.write(`\n${formatReport(report)}\n`)
  if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  return report.subjects.some(({ rounds: done }) => done.length === 0) ? 1 : 0
}

process.exitCode = await main()
