import { isConnectionField } from '../../base/connection-fields.ts'
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  HeaderValueOptionSchema,
  type HeaderValueOption,
} from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderEdit, HeaderOption } from '../config.ts'
import { decodeValueFormat } from './decode-value-format.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** What a Route and a ClusterWeight have in common. */
export interface XdsHeaderEdits {
  readonly requestHeadersToAdd: readonly HeaderValueOption[]
  readonly requestHeadersToRemove: readonly string[]
  readonly responseHeadersToAdd: readonly HeaderValueOption[]
  readonly responseHeadersToRemove: readonly string[]
}

/** The names of those fields, for `knowOnly`. */
export const headerEditFields =
  'request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove'

/** Empty lists for a level that edits nothing. */
export interface HeaderEdits {
  readonly request: readonly HeaderEdit[]
  readonly response: readonly HeaderEdit[]
}

/** Commands (`%…%`) that we do not know and names that belong to the connection are refused. Source: envoy.config.core.v3.HeaderValueOption. */
export function decodeHeaderEdits(from: XdsHeaderEdits, path: string, refused: Refusals): HeaderEdits {
  const edit = (
    side: 'request' | 'response',
    add: readonly HeaderValueOption[],
    remove: readonly string[],
  ): readonly HeaderEdit[] => {
    if (add.length + remove.length === 0) return []
    const names = remove.map((name, index) => {
      refuseName(name, join(path, `${side}_headers_to_remove[${index}]`), refused)
      return name.toLowerCase()
    })
    const options = add.flatMap((one, index) =>
      option(one, side, join(path, `${side}_headers_to_add[${index}]`), refused),
    )
    return [{ remove: names, options }]
  }
  return {
    request: edit('request', from.requestHeadersToAdd, from.requestHeadersToRemove),
    response: edit('response', from.responseHeadersToAdd, from.responseHeadersToRemove),
  }
}

const optionFields = fieldNames('header append_action keep_empty_value')
const how: Readonly<Record<number, HeaderOption['how']>> = {
  [AppendAction.APPEND_IF_EXISTS_OR_ADD]: 'append',
  [AppendAction.ADD_IF_ABSENT]: 'if-absent',
  [AppendAction.OVERWRITE_IF_EXISTS_OR_ADD]: 'overwrite',
  [AppendAction.OVERWRITE_IF_EXISTS]: 'overwrite-if-present',
}

function option(one: HeaderValueOption, side: 'request' | 'response', path: string, refused: Refusals): HeaderOption[] {
  knowOnly(HeaderValueOptionSchema, one, optionFields, path, refused)
  const rawName = one.header?.key ?? ''
  const written = one.header?.value ?? ''
  const at = join(path, 'header')
  const value = decodeValueFormat(written, side, join(at, 'value'), refused)
  refuseName(rawName, join(at, 'key'), refused)
  if (/[^\P{Cc}\t]/u.test(written)) refused.add(join(at, 'value'), 'has a control character')
  if (one.header !== undefined && one.header.rawValue.length > 0) refused.add(join(at, 'raw_value'), 'is not supported')
  if (value === '' && !one.keepEmptyValue) return []
  return [{ name: rawName.toLowerCase(), rawName, value, how: how[one.appendAction] ?? 'append' }]
}

function refuseName(name: string, path: string, refused: Refusals): void {
  if (!/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(name)) refused.add(path, `${JSON.stringify(name)} is no header name`)
  else if (isConnectionField(name) || name.toLowerCase() === 'host') refused.add(path, `${name} cannot be edited`)
}
