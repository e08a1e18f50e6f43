import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderEdit, HeaderEdits } from '../model/model.ts'

type Option = MessageInitShape<typeof HeaderValueOptionSchema>

/** The same fields of a Route and of a ClusterWeight. */
export interface XdsHeaderEdits {
  readonly requestHeadersToAdd?: Option[]
  readonly requestHeadersToRemove?: string[]
  readonly responseHeadersToAdd?: Option[]
  readonly responseHeadersToRemove?: string[]
}

/** Envoy removes, then sets, then adds, as we mean it. */
export const renderHeaderEdits = ({ requestHeaders, responseHeaders }: HeaderEdits): XdsHeaderEdits => ({
  ...(requestHeaders && {
    requestHeadersToAdd: options(requestHeaders),
    requestHeadersToRemove: [...requestHeaders.remove],
  }),
  ...(responseHeaders && {
    responseHeadersToAdd: options(responseHeaders),
    responseHeadersToRemove: [...responseHeaders.remove],
  }),
})

const options = ({ set, add }: HeaderEdit): Option[] => [
  ...set.map((one) => option(one, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
  ...add.map((one) => option(one, AppendAction.APPEND_IF_EXISTS_OR_ADD)),
]

/** A percent sign would begin one of Envoy's commands. */
const option = ({ name, value }: HeaderEdit['set'][number], appendAction: AppendAction): Option => ({
  header: { key: name, value: value.replaceAll('%', '%%') },
  appendAction,
})
