import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { formatReport, measureHttp1 } from './macro/http1.ts'

const usage = `npm run bench -- http1 [--mtls] [--json FILE] [--rounds N] [--seconds S] [--connections C] [--only NAME,NAME]
bench/README.md says what is measured and how the peers are installed.
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      mtls: { type: 'boolean', default: false },
      json: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
      only: { type: 'string', default: '' },
    },
  })
  const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number)
  const isCount = (value: number | undefined): value is number => Number.isInteger(value) && (value ?? 0) > 0
  if (positionals.join() !== 'http1' || !isCount(rounds) || !isCount(seconds) || !isCount(connections)) {
    process.stderr.write(usage)
    return 2
  }
  const only = values.only.split(',').filter((name) => name !== '')
  const options = { mtls: values.mtls, rounds, seconds, connections, only }
  const report = await measureHttp1(options, (line) => process.stderr.write(`${line}\n`))
  process.stdout.write(`\n${formatReport(report)}\n`)
  if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  return report.subjects.some(({ rounds: done }) => done.length === 0) ? 1 : 0
}

process.exitCode = await main()
