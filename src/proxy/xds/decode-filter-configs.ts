import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import { CorsPolicySchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { Route } from '../config.ts'
import { decodeCors } from './decode-cors.ts'
import { decodeFaults } from './decode-faults.ts'
import { join, type Refusals } from './refusals.ts'

/** A route's word to single filters, as `typed_per_filter_config` says it; what is for a filter that we lack is refused. */
export function decodeFilterConfigs(
  configs: Readonly<Record<string, Any>>,
  path: string,
  refused: Refusals,
): Pick<Route, 'cors' | 'faults'> {
  const decoded: { cors?: Route['cors']; faults?: Route['faults'] } = {}
  for (const [name, any] of Object.entries(configs)) {
    const at = join(path, `typed_per_filter_config[${name}]`)
    if (any.typeUrl === typeUrlOf(CorsPolicySchema)) decoded.cors = decodeCors(any, at, refused)
    else if (any.typeUrl === typeUrlOf(HTTPFaultSchema)) decoded.faults = decodeFaults(any, at, refused)
    else refused.add(at, `${any.typeUrl} is not supported`)
  }
  const { cors, faults } = decoded
  return { ...(cors && { cors }), ...(faults && { faults }) }
}
