import { formatProblem, hasErrors } from '../../base/problem.ts'
import type { ApplyResult } from '../../control/api/contract.ts'
import { check, nothingYet } from '../../control/check.ts'
import { formatKey } from '../../control/decode/resource.ts'
import { joinSources, readSources } from '../files.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, status, type Terminal } from '../terminal.ts'

/** Flags of `weft validate`. */
export interface ValidateFlags {
  readonly filename: readonly string[]
  readonly output?: Format
}

/** As identities are outside of Kubernetes; only principals in policies would tell the difference. */
const trustDomain = 'weft.local'

/** Checks files by themselves, as if there were nothing else: every problem, with file and line. No control plane is asked. */
export async function validate(flags: ValidateFlags, terminal: Terminal): Promise<number> {
  const read = await readSources(flags.filename, terminal)
  if ('unreadable' in read) return fail(terminal, read.unreadable)
  const { text, placed } = joinSources(read.sources)
  const checked = check(text, 'files', nothingYet, trustDomain)
  const problems = checked.problems.map(placed)
  const failed = hasErrors(problems)
  const results = checked.documents.map(({ kind, metadata }) => ({
    resource: formatKey({ kind, namespace: metadata.namespace ?? '', name: metadata.name }),
    action: 'valid' as const,
  }))
  if (flags.output !== undefined) {
    const result: ApplyResult = { results: failed ? [] : results, problems }
    await printOne(terminal, result, flags.output)
    return failed ? status.failed : status.done
  }
  for (const problem of problems) terminal.err(`${formatProblem(problem)}\n`)
  if (failed) return fail(terminal, 'not valid')
  if (results.length === 0) return fail(terminal, `${flags.filename.join(', ')}: no document found`)
  for (const { resource, action } of results) terminal.out(`${resource} ${action}\n`)
  return status.done
}
