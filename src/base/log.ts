/** How much is written: each level includes the ones before it. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/** Facts beside the sentence, in `key=value` form. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** What a program tells the person who runs it: one line an event, on standard error. */
export interface Log {
  error(sentence: string, fields?: LogFields): void
  warn(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  debug(sentence: string, fields?: LogFields): void
  /** The same log under the name of a part. */
  named(part: string): Log
}

/** Lines such as `2026-11-23T10:00:00.000Z warn sidecar: listener refused address=127.0.0.1:80`. */
export function textLog({
  part,
  level,
  write,
  wallMs,
}: {
  part: string
  level: LogLevel
  write: (line: string) => void
  wallMs: () => number
}): Log {
  const enabled = logLevels.indexOf(level)
  const line =
    (at: LogLevel) =>
    (sentence: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(at) > enabled) return
      const facts = Object.entries(fields).filter(([, value]) => value !== undefined)
      const tail = facts.map(([key, value]) => ` ${key}=${quoteIfNeeded(String(value))}`).join('')
      write(`${new Date(wallMs()).toISOString()} ${at} ${part}: ${sentence}${tail}\n`)
    }
  return {
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    named: (inner) => textLog({ part: `${part}/${inner}`, level, write, wallMs }),
  }
}

/** A log that says nothing, for tests. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, named: () => silentLog }

const quoteIfNeeded = (value: string): string => (/^[\w.:/@[\]-]+$/.test(value) ? value : JSON.stringify(value))
