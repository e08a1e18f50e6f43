import { systemClock } from '../../base/clock.ts'
import { textLog } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { runGateway } from '../../gateway/run-gateway.ts'

import { dataDirOf } from '../client/place.ts'
import { readGatewayOptions, type GatewayFlags } from '../options/gateway-options.ts'
import { readToken } from '../options/run-token.ts'
import { fail, misused, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** Serves a Gateway's listeners until it is told to stop. */
export async function gateway(flags: GatewayFlags, terminal: Terminal): Promise<number> {
  const read = readGatewayOptions(flags)
  if ('problems' in read) return misused(terminal, 'gateway', read.problems.join('\nweft gateway: '))
  const token = readToken(flags, terminal)
  if ('unreadable' in token) return fail(terminal, token.unreadable)
  const log = textLog({
    part: 'gateway',
    level: flags.verbose === true ? 'debug' : 'warn',
    write: terminal.err,
    wallMs: () => systemClock.wallMs(),
  })
  return runGateway(
    { ...read.options, ...token, dataDir: dataDirOf(flags, terminal.env), version },
    {
      log,
      clock: systemClock,
      random: systemRandom,
      say: (line) => terminal.err(`${line}\n`),
      env: terminal.env,
      signals: process,
    },
  )
}
