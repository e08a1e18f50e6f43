import type { JsonFormat, LogFormat, ValuePart } from '../config.ts'

/** What a format makes the path of a call note: nothing, where no format wants it. */
export interface LogNeeds {
  /** `CallDetail.repliedMs`. */
  readonly replied: boolean
  /** `CallDetail.requestEndedMs`. */
  readonly requestEnded: boolean
  /** One of these, or what `CallDetail` has besides. */
  readonly detail: boolean
}

/** Of all these formats. */
export function needsOf(formats: readonly LogFormat[]): LogNeeds {
  const parts = formats.flatMap((format) =>
    format.kind === 'text' ? format.parts : partsOf({ kind: 'object', fields: format.fields }),
  )
  const asks = (test: (part: Exclude<ValuePart, string>) => boolean): boolean =>
    parts.some((part) => typeof part !== 'string' && test(part))
  const replied = asks((part) => part.kind.startsWith('response-') && part.kind.endsWith('duration')) || asks(asksTime)
  const requestEnded = asks(({ kind }) => kind === 'request-duration') || asks(asksTime)
  const others = asks(({ kind }) => kind === 'route' || kind === 'cluster' || kind.startsWith('upstream-'))
  return { replied, requestEnded, detail: replied || requestEnded || others }
}

const asksTime = (part: Exclude<ValuePart, string>): boolean =>
  part.kind === 'response-header' && part.names.includes('x-envoy-upstream-service-time')

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
