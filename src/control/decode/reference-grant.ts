import { list, object, optional, string, type Decoder } from '../../base/decode.ts'
import { label } from './names.ts'

/** Gateway API ReferenceGrant: who may refer to what in the namespace where it stands. */
export interface ReferenceGrantSpec {
  readonly from: readonly GrantFrom[]
  readonly to: readonly GrantTo[]
}
export interface GrantFrom {
  /** "" is the core group. */
  readonly group: string
  readonly kind: string
  readonly namespace: string
}
export interface GrantTo {
  readonly group: string
  readonly kind: string
  /** Absent: all of this kind. */
  readonly name?: string
}

const group = string({
  form: /^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  expected: 'an API group such as "gateway.networking.k8s.io", or "" for the core group',
})
const kind = string({ form: /^[a-zA-Z]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/, expected: 'a kind such as "HTTPRoute"' })
const name = string({ form: /^.{1,253}$/, expected: 'a name of at most 253 characters' })

/** Groups and kinds are not ours to know: a grant may name what another controller reads. */
export const referenceGrantSpec: Decoder<ReferenceGrantSpec> = object<ReferenceGrantSpec>({
  from: list(object<GrantFrom>({ group, kind, namespace: label }), { min: 1, max: 16 }),
  to: list(object<GrantTo>({ group, kind, name: optional(name) }), { min: 1, max: 16 }),
})
