import { parseDurationMs } from '../../base/duration.ts'
import { formatProblem } from '../../base/problem.ts'
import type { ApplyResult, Served } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { joinSources, readSources } from '../files.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

/** Flags of `weft apply`. */
export interface ApplyFlags extends PlaceOptions {
  readonly filename: readonly string[]
  readonly dryRun?: boolean
  readonly wait?: boolean
  /** With `wait`: a duration. */
  readonly timeout: string
  readonly output?: Format
}

/** Writes all documents or none; says what became of each. */
export async function apply(flags: ApplyFlags, terminal: Terminal): Promise<number> {
  const read = await readSources(flags.filename, terminal)
  if ('unreadable' in read) return fail(terminal, read.unreadable)
  const { text, placed } = joinSources(read.sources)
  const waitMs = parseDurationMs(flags.timeout)
  if (waitMs === undefined || waitMs > 3_600_000)
    return misused(
      terminal,
      'apply',
      `--timeout: expected a duration up to 1h such as "30s", got ${JSON.stringify(flags.timeout)}`,
    )
  const query = flags.dryRun === true ? '?dryRun=true' : flags.wait === true ? `?waitMs=${waitMs}` : ''
  return withClient(flags, terminal, async (client) => {
    const answer = await client.post<ApplyResult>(`/v1/apply${query}`, text)
    if (answer.kind === 'failed') return failedAnswer(terminal, answer, placed)
    for (const problem of answer.value.problems) terminal.err(`${formatProblem(placed(problem))}\n`)
    if (flags.output !== undefined) await printOne(terminal, answer.value, flags.output)
    else
      for (const { resource, action } of answer.value.results)
        terminal.out(`${resource} ${action}${flags.dryRun === true ? ' (dry run)' : ''}\n`)
    const { served } = answer.value
    if (served === undefined) return status.done
    if (flags.output === undefined) tellServed(served, flags.timeout, terminal)
    return served.refused.length + served.laggards.length === 0 ? status.done : status.failed
  })
}

function tellServed({ revision, served, refused, laggards }: Served, timeout: string, terminal: Terminal): void {
  for (const { proxy, type, name, reason } of refused) terminal.err(`${proxy} refused ${type} ${name}: ${reason}\n`)
  for (const { proxy, connected, waitingFor } of laggards)
    terminal.err(
      connected
        ? `${proxy} does not serve it after ${timeout}; it has not acknowledged ${waitingFor.join(', ')}\n`
        : `${proxy} is not connected and serves what it had; it is told when it comes back\n`,
    )
  const behind = new Set([...refused, ...laggards].map(({ proxy }) => proxy)).size
  const count = served.length === 1 ? '1 proxy serves' : `${served.length} proxies serve`
  const rest = behind === 0 ? '' : `, ${behind} do not`
  const nobody = served.length === 0 && behind === 0
  terminal.out(
    nobody ? `revision ${revision} changes nothing for any proxy\n` : `revision ${revision}: ${count} it${rest}\n`,
  )
}
