import type { DataSource } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { type Refusals } from './refusals.ts'

/** Text that stands in the resource itself; undefined when the field is absent. Files and variables of this machine are refused. */
export function inlineText(source: DataSource | undefined, path: string, refused: Refusals): string | undefined {
  const by = source?.specifier
  if (by === undefined) return undefined
  switch (by.case) {
    case undefined:
      return undefined
    case 'inlineString':
      return by.value
    case 'inlineBytes':
      return Buffer.from(by.value).toString()
    default:
      refused.add(path, `${by.case} is not supported, expected inline_string or inline_bytes`)
      return undefined
  }
}
