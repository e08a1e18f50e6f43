import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { fuzz, tryInput, type Finding } from './fuzz.ts'
import { targets } from './targets/all.ts'

const usage = `npm run fuzz -- [TARGET…] [--seconds N] [--seed N] [--replay FILE]
targets: ${targets.map(({ name }) => name).join(', ')}
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '30' },
      seed: { type: 'string' },
      replay: { type: 'string' },
    },
  })
  const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const seed = Number(values.seed ?? Date.now() % 2 ** 31)
  const seconds = Number(values.seconds)
  const unknown = positionals.filter((name) => !targets.some((target) => target.name === name))
  if (
    unknown.length > 0 ||
    !Number.isInteger(seed) ||
    !(seconds > 0) ||
    (values.replay !== undefined && chosen.length !== 1)
  ) {
    process.stderr.write(usage)
    return 2
  }
  for (const target of chosen) {
    if (values.replay !== undefined) {
      const finding = await tryInput(target, fs.readFileSync(values.replay), seed)
      process.stdout.write(finding === undefined ? 'nothing is wrong with it\n' : `${finding.what}\n`)
      return finding === undefined ? 0 : 1
    }
    const { inputs, finding } = await fuzz(target, { seed, untilMs: performance.now() + seconds * 1000 })
    process.stdout.write(`${target.name}: ${inputs} inputs, seed ${seed}\n`)
    if (finding !== undefined) return keep(finding)
  }
  return 0
}

function keep({ target, bytes, what }: Finding): number {
  const file = `fuzz-${target}.bin`
  fs.writeFileSync(file, bytes)
  process.stdout.write(
    `${what}\n${JSON.stringify(bytes.toString('latin1'))}\nnpm run fuzz -- ${target} --replay ${file}\n`,
  )
  return 1
}

process.exitCode = await main()
