import type { AccessLog } from '../config.ts'
import type { Known } from '../format/known.ts'
import { compileFilter, type FilterParts } from './log-filter.ts'
import { compileFormat } from './log-format.ts'
import { needsOf, type LogNeeds } from './log-needs.ts'

/** The logs of one place, ready to be written. */
export interface Logs {
  readonly needs: LogNeeds
  /** Where there is one log of all calls in our own words, which is the usual case: takes a line. */
  readonly plain: ((line: string) => void) | undefined
  /** Writes to each that wants it. `own`: the line in our own words; `known`: what formats and filters look at. Either is made once, if at all. */
  tell(own: () => string, known: () => Known): void
}

/** What they are made of. */
export interface LogsParts extends FilterParts {
  /** Takes lines for a path. Must not throw. */
  readonly to: (path: string) => (line: string) => void
}

/** Compiles each list of logs once. */
export function createLogs(parts: LogsParts): (logs: readonly AccessLog[]) => Logs {
  const made = new WeakMap<readonly AccessLog[], Logs>()
  return (logs) => {
    let found = made.get(logs)
    if (found === undefined) made.set(logs, (found = compileLogs(logs, parts)))
    return found
  }
}

function compileLogs(logs: readonly AccessLog[], parts: LogsParts): Logs {
  const compiled = logs.map(({ path, format, filter }) => ({
    write: parts.to(path),
    line: format && compileFormat(format),
    wanted: filter && compileFilter(filter, parts),
  }))
  const [first, ...more] = compiled
  const isPlain = more.length === 0 && first?.line === undefined && first?.wanted === undefined
  return {
    needs: needsOf(logs.flatMap(({ format }) => format ?? [])),
    plain: isPlain ? first?.write : undefined,
    tell(own, known) {
      let ownLine: string | undefined
      let looked: Known | undefined
      for (const { write, line, wanted } of compiled) {
        if (wanted !== undefined && !wanted((looked ??= known()))) continue
        write(line === undefined ? (ownLine ??= own()) : line((looked ??= known())))
      }
    },
  }
}
