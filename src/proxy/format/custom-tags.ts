import { readWireText } from '../../base/string-match.ts'
import type { SpanTag } from '../config.ts'
import { headerValue } from '../http/headers.ts'
import type { Call } from '../http/service.ts'

/** The tags that a configuration wants for a call, or for a connection, which has no headers. */
export type TagReader = (call: Pick<Call, 'headers'> | undefined) => readonly (readonly [tag: string, value: string])[]

/** Compiles tags, once per configuration. Source: Envoy, "Custom tags": what is empty is left out. */
export function tagReader(tags: readonly SpanTag[]): TagReader {
  if (tags.length === 0) return () => []
  return (call) =>
    tags.flatMap((one): readonly (readonly [string, string])[] => {
      const value = one.kind === 'constant' ? one.value : wordOf(call, one)
      return value === '' ? [] : [[one.tag, value]]
    })
}

function wordOf(
  call: Pick<Call, 'headers'> | undefined,
  { name, otherwise }: SpanTag & { readonly kind: 'request-header' },
): string {
  const value = call && headerValue(call.headers, name)
  return value === undefined ? otherwise : readWireText(value)
}
