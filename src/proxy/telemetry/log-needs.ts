import type { AccessLog, JsonFormat, ValuePart } from '../config.ts'

/** What logs make the path of a call note: nothing, where none wants it. */
export interface LogNeeds {
  /** `CallDetail.repliedMs`. */
  readonly replied: boolean
  /** `CallDetail.requestEndedMs`. */
  readonly requestEnded: boolean
  /** All moments that `CallDetail` knows. */
  readonly moments: boolean
  /** One of these, or what `CallDetail` has besides. */
  readonly detail: boolean
  /** `Agreed.shown`. */
  readonly shown: boolean
}

/** Of all these. Entries of Envoy's own service tell everything. */
export function needsOf(logs: readonly AccessLog[]): LogNeeds {
  if (logs.some((log) => 'entry' in log && log.entry.kind !== 'otlp'))
    return { replied: true, requestEnded: true, moments: true, detail: true, shown: true }
  const parts = logs.flatMap(partsOfLog)
  const asks = (test: (part: Exclude<ValuePart, string>) => boolean): boolean =>
    parts.some((part) => typeof part !== 'string' && test(part))
  const replied = asks((part) => part.kind.startsWith('response-') && part.kind.endsWith('duration')) || asks(asksTime)
  const requestEnded = asks(({ kind }) => kind === 'request-duration') || asks(asksTime)
  const others = asks(({ kind }) => kind === 'route' || kind === 'cluster' || kind.startsWith('upstream-'))
  return { replied, requestEnded, moments: false, detail: replied || requestEnded || others, shown: false }
}

const asksTime = (part: Exclude<ValuePart, string>): boolean =>
  part.kind === 'response-header' && part.names.includes('x-envoy-upstream-service-time')

function partsOfLog(log: AccessLog): readonly ValuePart[] {
  if ('server' in log) {
    const { entry } = log
    if (entry.kind !== 'otlp') return []
    return [
      ...(entry.body === undefined ? [] : partsOf(entry.body)),
      ...partsOf({ kind: 'object', fields: entry.attributes }),
    ]
  }
  if (log.format === undefined) return []
  return log.format.kind === 'text' ? log.format.parts : partsOf({ kind: 'object', fields: log.format.fields })
}

function partsOf(format: JsonFormat): readonly ValuePart[] {
  switch (format.kind) {
    case 'value':
      return format.parts
    case 'constant':
      return []
    case 'list':
      return format.items.flatMap(partsOf)
    case 'object':
      return format.fields.flatMap(([, value]) => partsOf(value))
  }
}
