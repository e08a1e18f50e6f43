import type { AccessLog, LogServer } from '../config.ts'
import type { Known } from '../format/known.ts'
import { compileEntry } from './log-entry.ts'
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
  /** Takes entries for a server. Must not throw, nor wait. */
  readonly toServer: (server: LogServer) => (entry: Buffer) => void
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
  const compiled = logs.map((log) => ({
    ...compileWriter(log, parts),
    wanted: log.filter && compileFilter(log.filter, parts),
  }))
  const [first, ...more] = logs
  const isPlain = more.length === 0 && first !== undefined && 'path' in first && first.format === undefined
  return {
    needs: needsOf(logs),
    plain: isPlain && first.filter === undefined ? parts.to(first.path) : undefined,
    tell(own, known) {
      let ownLine: string | undefined
      let looked: Known | undefined
      for (const { write, writeOwn, wanted } of compiled) {
        if (wanted !== undefined && !wanted((looked ??= known()))) continue
        if (write === undefined) writeOwn((ownLine ??= own()))
        else write((looked ??= known()))
      }
    },
  }
}

/** `writeOwn`: where there is no `write`, what takes the line in our own words. */
interface Writer {
  readonly write: ((known: Known) => void) | undefined
  readonly writeOwn: (line: string) => void
}

function compileWriter(log: AccessLog, parts: LogsParts): Writer {
  if ('server' in log) {
    const take = parts.toServer(log.server)
    const encode = compileEntry(log.entry)
    return { write: (known) => take(encode(known)), writeOwn() {} }
  }
  const writeOwn = parts.to(log.path)
  const line = log.format && compileFormat(log.format)
  return { write: line && ((known) => writeOwn(line(known))), writeOwn }
}
