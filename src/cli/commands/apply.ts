import { formatProblem } from '../../base/problem.ts'
import type { ApplyResult } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { joinSources, readSources } from '../files.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, status, type Terminal } from '../terminal.ts'

/** Flags of `weft apply`. */
export interface ApplyFlags extends PlaceOptions {
  readonly filename: readonly string[]
  readonly dryRun?: boolean
  readonly output?: Format
}

/** Writes all documents or none; says what became of each. */
export async function apply(flags: ApplyFlags, terminal: Terminal): Promise<number> {
  const read = await readSources(flags.filename, terminal)
  if ('unreadable' in read) return fail(terminal, read.unreadable)
  const { text, placed } = joinSources(read.sources)
  return withClient(flags, terminal, async (client) => {
    const answer = await client.post<ApplyResult>(`/v1/apply${flags.dryRun === true ? '?dryRun=true' : ''}`, text)
    if (answer.kind === 'failed') return failedAnswer(terminal, answer, placed)
    for (const problem of answer.value.problems) terminal.err(`${formatProblem(placed(problem))}\n`)
    if (flags.output !== undefined) await printOne(terminal, answer.value, flags.output)
    else
      for (const { resource, action } of answer.value.results)
        terminal.out(`${resource} ${action}${flags.dryRun === true ? ' (dry run)' : ''}\n`)
    return status.done
  })
}
