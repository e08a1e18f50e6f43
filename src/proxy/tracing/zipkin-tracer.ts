import type { Random } from '../../base/random.ts'
import type { TracerKind, Tracing } from '../config.ts'
import { headerField, type Headers } from '../http/headers.ts'
import { readB3, replacedByB3, writeB3, type B3Words } from './b3.ts'
import { randomId } from './random-id.ts'
import { parentHeader, readContext, writeParent } from './trace-context.ts'
import type { Tracer } from './tracer.ts'

/**
 * B3: what the caller says of sampling is done, and where spans are shared a server's has the id of its client's. Source: Envoy,
 * `Zipkin::Driver`, `Zipkin::Tracer`.
 */
export function zipkinTracer(
  { egress, attempts }: Pick<Tracing, 'egress' | 'attempts'>,
  { wideIds, sharesSpans, alwaysServer, alsoW3c }: Extract<TracerKind, { kind: 'zipkin' }>,
  random: Random,
): Tracer {
  const kind = egress && !attempts && !alwaysServer ? 'client' : 'server'
  const isShared = sharesSpans && kind === 'server'
  return {
    kind,
    nameOf: ({ authority }) => authority,
    join(headers, wanted) {
      const b3 = readB3(headers)
      if (b3 === 'bad') return undefined
      const { inOne, ids, sampled = wanted } = alsoW3c ? orW3c(b3, headers) : b3
      if (ids === undefined) {
        const spanId = randomId(random, 2)
        const traceId = wideIds ? randomId(random, 2) + spanId : spanId
        return { traceId, spanId, parentId: '', sampled, state: '', inOne }
      }
      return isShared
        ? { ...ids, sampled, state: '', inOne }
        : { traceId: ids.traceId, spanId: randomId(random, 2), parentId: ids.spanId, sampled, state: '', inOne }
    },
    replaces: (name, place) => replacedByB3(name, place) || (alsoW3c && name === parentHeader),
    tell(place) {
      const fields = writeB3(place)
      if (alsoW3c)
        fields.push(headerField(parentHeader, writeParent({ ...place, traceId: place.traceId.padStart(32, '0') })))
      return fields
    },
  }
}

/** What makes no sense there is nothing. */
function orW3c(b3: B3Words, headers: Headers): B3Words {
  if (b3.inOne || b3.ids !== undefined) return b3
  const context = readContext(headers)
  if (context === undefined || context === 'bad') return b3
  const { traceId, spanId, sampled } = context
  return { inOne: false, sampled, ids: { traceId: traceId.replace(/^0{16}/, ''), spanId, parentId: '' } }
}
