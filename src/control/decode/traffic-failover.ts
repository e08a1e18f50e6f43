import { object, type Decoder } from '../../base/decode.ts'
import { backendObjectRef, type BackendObjectRef } from './service-ref.ts'
import { orFalse } from './traffic-outlier.ts'

/** Who takes calls that too few healthy endpoints are left for. */
export interface FailoverSpec {
  /** One port of another service; without a namespace that of the policy. */
  readonly backendRef: BackendObjectRef
}

/** `false`: nobody, whatever wider policies say. */
export const failoverSpec: Decoder<FailoverSpec | false> = orFalse(
  object<FailoverSpec>({ backendRef: backendObjectRef }),
)
