import { runAgent } from '../../agent/run-agent.ts'
import { systemClock } from '../../base/clock.ts'
import { textLog } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { dataDirOf } from '../client/place.ts'
import { readRunOptions, type RunFlags } from '../options/run-options.ts'
import { readToken, type FileFlags } from '../options/run-token.ts'
import { fail, misused, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** Registers the command as an instance of a service, with a sidecar beside it; ends with the command's own exit status. */
export async function run(
  command: readonly string[],
  flags: Partial<RunFlags> & FileFlags,
  terminal: Terminal,
): Promise<number> {
  const { service } = flags
  if (flags.filename !== undefined) return runListed(flags.filename, command, flags, terminal)
  if (service === undefined)
    return misused(terminal, 'run', 'say which service it is, with --service NAME (or -f FILE)')
  return runOne(command, { ...flags, service }, terminal)
}

/** What may be said beside `-f`: where the mesh is, not what runs. */
const besideFile: readonly (keyof FileFlags)[] = ['filename', 'dataDir', 'tokenFile', 'wait', 'verbose']

async function runListed(
  file: string,
  command: readonly string[],
  flags: Partial<RunFlags> & FileFlags,
  terminal: Terminal,
): Promise<number> {
  const [wrong] = Object.keys(flags).filter((flag) => !besideFile.some((one) => one === flag))
  const what = wrong === undefined ? command[0] : `--${wrong.replaceAll(/[A-Z]/g, (one) => `-${one.toLowerCase()}`)}`
  if (what !== undefined)
    return misused(
      terminal,
      'run',
      `with -f all about the programs stands in ${file}; ${what} cannot be said beside it`,
    )
  const { runFile } = await import('./run-file.ts')
  return runFile(file, flags, terminal)
}

async function runOne(command: readonly string[], flags: RunFlags, terminal: Terminal): Promise<number> {
  const read = readRunOptions(flags, command)
  if ('problems' in read) return misused(terminal, 'run', read.problems.join('\nweft run: '))
  const token = readToken(flags, terminal)
  if ('unreadable' in token) return fail(terminal, token.unreadable)
  const options = {
    ...read.options,
    ...token,
    dataDir: dataDirOf(flags, terminal.env),
    version,
  }
  const log = textLog({
    part: 'agent',
    level: flags.verbose === true ? 'debug' : 'warn',
    write: terminal.err,
    wallMs: () => systemClock.wallMs(),
  })
  return runAgent(options, {
    log,
    clock: systemClock,
    random: systemRandom,
    say: (line) => terminal.err(`${line}\n`),
    env: terminal.env,
    signals: process,
  })
}
