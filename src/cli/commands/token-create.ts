import { parseDurationMs } from '../../base/duration.ts'
import type { TokenRequest, TokenResult } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { printOne, type Format } from '../print/structured.ts'
import { misused, status, type Terminal } from '../terminal.ts'

/** Flags of `weft token create`. */
export interface TokenFlags extends PlaceOptions {
  readonly ttl?: string
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly output?: Format
}

/** Prints a join token on standard output, alone, so that it can go into a file; the rest goes to standard error. */
export async function createToken(flags: TokenFlags, terminal: Terminal): Promise<number> {
  const ttlMs = flags.ttl === undefined ? undefined : parseDurationMs(flags.ttl)
  if (flags.ttl !== undefined && ttlMs === undefined)
    return misused(
      terminal,
      'token create',
      `--ttl wants a duration such as 30m or 24h, got ${JSON.stringify(flags.ttl)}`,
    )
  const request: TokenRequest = {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
    ...(flags.serviceAccount === undefined ? {} : { serviceAccount: flags.serviceAccount }),
  }
  return withClient(flags, terminal, async (client) => {
    const answer = await client.post<TokenResult>('/v1/tokens', JSON.stringify(request))
    if (answer.kind === 'failed') return failedAnswer(terminal, answer)
    const { token, expiresMs } = answer.value
    if (flags.output !== undefined) await printOne(terminal, answer.value, flags.output)
    else {
      terminal.out(`${token}\n`)
      terminal.err(
        `valid until ${new Date(expiresMs).toISOString()}; use it with: weft run --token-file FILE … or WEFT_TOKEN\n`,
      )
    }
    return status.done
  })
}
