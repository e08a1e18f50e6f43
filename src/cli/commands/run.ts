import fs from 'node:fs'
import { runAgent } from '../../agent/run-agent.ts'
import { systemClock } from '../../base/clock.ts'
import { textLog } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { dataDirOf } from '../client/place.ts'
import { readRunOptions, type RunFlags } from '../options/run-options.ts'
import { fail, misused, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** Registers the command as an instance of a service, with a sidecar beside it; ends with the command's own exit status. */
export async function run(command: readonly string[], flags: RunFlags, terminal: Terminal): Promise<number> {
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

/** A directory named by a flag outweighs a token in the environment. */
function readToken(
  { tokenFile, dataDir }: RunFlags,
  { env }: Terminal,
): { readonly tokenText?: string } | { readonly unreadable: string } {
  if (tokenFile === undefined) {
    const tokenText = dataDir === undefined ? env['WEFT_TOKEN']?.trim() : undefined
    return tokenText === undefined || tokenText === '' ? {} : { tokenText }
  }
  try {
    return { tokenText: fs.readFileSync(tokenFile, 'utf8').trim() }
  } catch (error) {
    return {
      unreadable: `cannot read --token-file ${tokenFile}: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}
