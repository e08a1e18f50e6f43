import type { Random } from '../../base/random.ts'
import type { Tracing } from '../config.ts'
import { headerField } from '../http/headers.ts'
import { randomId } from './random-id.ts'
import { parentHeader, readContext, stateHeader, writeParent } from './trace-context.ts'
import type { Tracer } from './tracer.ts'

/** W3C Trace Context: every span has an id of its own, below the caller's. Source: Envoy, `OpenTelemetry::Driver`. */
export function openTelemetryTracer(
  { egress, attempts }: Pick<Tracing, 'egress' | 'attempts'>,
  random: Random,
): Tracer {
  return {
    kind: egress && !attempts ? 'client' : 'server',
    nameOf: ({ authority }) => (egress ? `egress ${authority}` : 'ingress'),
    join(headers, wanted) {
      const context = readContext(headers)
      if (context === 'bad') return undefined
      return {
        traceId: context?.traceId ?? randomId(random, 4),
        spanId: randomId(random, 2),
        parentId: context?.spanId ?? '',
        sampled: wanted && context?.sampled !== false,
        state: context?.state ?? '',
        inOne: false,
      }
    },
    // A state belongs to the trace that it came with.
    replaces: (name, { parentId }) => name === parentHeader || (name === stateHeader && parentId === ''),
    tell: (place) => [headerField(parentHeader, writeParent(place))],
  }
}
