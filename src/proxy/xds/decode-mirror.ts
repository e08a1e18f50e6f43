import {
  RouteAction_RequestMirrorPolicySchema,
  type RouteAction_RequestMirrorPolicy,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { FractionalPercent_DenominatorType as Of } from '../../xds/gen/envoy/type/v3/percent_pb.ts'
import type { Mirror } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('cluster runtime_fraction disable_shadow_host_suffix_append')
const whole: Readonly<Record<number, number>> = {
  [Of.HUNDRED]: 100,
  [Of.TEN_THOUSAND]: 10_000,
  [Of.MILLION]: 1_000_000,
}

/** There is no runtime here: the fraction's default value is the fraction. Source: envoy RouteAction.RequestMirrorPolicy. */
export function decodeMirror(policy: RouteAction_RequestMirrorPolicy, path: string, refused: Refusals): Mirror {
  knowOnly(RouteAction_RequestMirrorPolicySchema, policy, known, path, refused)
  if (policy.cluster === '') refused.add(join(path, 'cluster'), 'is empty')
  const part = policy.runtimeFraction?.defaultValue
  const share = part === undefined ? 1 : part.numerator / (whole[part.denominator] ?? 100)
  return { cluster: policy.cluster, share: Math.min(1, share), markHost: !policy.disableShadowHostSuffixAppend }
}
