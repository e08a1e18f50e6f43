import {
  RouteAction_RequestMirrorPolicySchema,
  type RouteAction_RequestMirrorPolicy,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { Mirror } from '../config.ts'
import { shareOf } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('cluster runtime_fraction disable_shadow_host_suffix_append')
/** There is no runtime here: the fraction's default value is the fraction. Source: envoy RouteAction.RequestMirrorPolicy. */
export function decodeMirror(policy: RouteAction_RequestMirrorPolicy, path: string, refused: Refusals): Mirror {
  knowOnly(RouteAction_RequestMirrorPolicySchema, policy, known, path, refused)
  if (policy.cluster === '') refused.add(join(path, 'cluster'), 'is empty')
  const share = shareOf(policy.runtimeFraction?.defaultValue, 1)
  return { cluster: policy.cluster, share, markHost: !policy.disableShadowHostSuffixAppend }
}
