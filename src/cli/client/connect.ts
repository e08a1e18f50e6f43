import { formatProblem, type Problem } from '../../base/problem.ts'
import { fail, status, type Terminal } from '../terminal.ts'
import { apiClient, type Answer, type Client } from './client.ts'
import { findPlace, type PlaceOptions } from './place.ts'

/** Runs `work` with the control plane that flags and environment name; a flag that makes no sense is wrong usage. */
export async function withClient(
  options: PlaceOptions,
  terminal: Terminal,
  work: (client: Client) => Promise<number>,
): Promise<number> {
  const place = findPlace(options, terminal.env)
  if (place.kind !== 'wrong') return work(apiClient(place))
  terminal.err(`weft: ${place.sentence}\n`)
  return status.usage
}

/** Prints why an answer is none: every problem on a line of its own, then the sentence. */
export function failedAnswer(
  terminal: Terminal,
  { sentence, problems }: Extract<Answer<unknown>, { kind: 'failed' }>,
  place: (problem: Problem) => Problem = (problem) => problem,
): number {
  for (const problem of problems) terminal.err(`${formatProblem(place(problem))}\n`)
  return fail(terminal, sentence)
}
