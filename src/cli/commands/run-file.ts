import fs from 'node:fs'
import { runProcesses } from '../../agent/process-set.ts'
import { runAgent } from '../../agent/run-agent.ts'
import { systemClock } from '../../base/clock.ts'
import { textLog } from '../../base/log.ts'
import { formatProblem } from '../../base/problem.ts'
import { systemRandom } from '../../base/random.ts'
import { dataDirOf } from '../client/place.ts'
import { readProcessFile } from '../options/process-file.ts'
import { readToken, type FileFlags } from '../options/run-token.ts'
import { prefixed } from '../print/prefixed.ts'
import { fail, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** Runs the programs of a process file, each with an agent and a sidecar of its own; ends when all have ended. */
export async function runFile(file: string, flags: FileFlags, terminal: Terminal): Promise<number> {
  let text: string
  try {
    text = file === '-' ? await terminal.stdin() : fs.readFileSync(file, 'utf8')
  } catch (error) {
    return fail(terminal, `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const read = readProcessFile({ file: file === '-' ? 'stdin' : file, text }, { wait: flags.wait ?? true })
  if ('problems' in read) {
    for (const problem of read.problems) terminal.err(`${formatProblem(problem)}\n`)
    return status.failed
  }
  const token = readToken(flags, terminal)
  if ('unreadable' in token) return fail(terminal, token.unreadable)
  const { processes } = read
  const width = Math.max(...processes.map(({ name }) => name.length))
  return runProcesses(
    processes.map(({ name, options, env, dependsOn }, index) => ({
      name,
      dependsOn,
      async run(signals, happened) {
        const colour = terminal.colour ? { index } : {}
        const out = prefixed(name, { width, ...colour, write: terminal.out })
        const err = prefixed(name, { width, ...colour, write: terminal.err })
        const say = (line: string): void => err.write(Buffer.from(`${line}\n`))
        const ended = await runAgent(
          { ...options, ...token, dataDir: dataDirOf(flags, terminal.env), version },
          {
            log: textLog({
              part: 'agent',
              level: flags.verbose === true ? 'debug' : 'warn',
              write: (line) => err.write(Buffer.from(line)),
              wallMs: () => systemClock.wallMs(),
            }),
            clock: systemClock,
            random: systemRandom,
            say,
            env: { ...terminal.env, ...env },
            signals,
            output: (from, chunk) => (from === 'stdout' ? out : err).write(chunk),
            happened,
          },
        )
        out.flush()
        err.flush()
        say(`ended with status ${ended}`)
        return ended
      },
    })),
    { signals: process, say: (sentence) => terminal.err(`weft run: ${sentence}\n`) },
  )
}
