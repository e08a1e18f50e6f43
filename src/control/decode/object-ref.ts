import { object, optional, string, unsupported, withDefault, type Decoder } from '../../base/decode.ts'
import { label, subdomain } from './names.ts'

/** A resource that another one needs; without a namespace of that one's own. Whether it can be used, link decides. */
export interface ObjectRef {
  readonly group: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

const named = (kind: string, group = '') => ({
  group: withDefault(string(), group),
  kind: withDefault(string(), kind),
  name: subdomain,
})

/** Gateway API SecretObjectReference and ObjectReference; `kind` and `group` are meant when none are written. */
export const objectRef = (kind: string, group?: string): Decoder<ObjectRef> =>
  object<ObjectRef>({ ...named(kind, group), namespace: optional(label) })

/** Gateway API LocalObjectReference: of the same namespace. */
export const localObjectRef = (kind: string): Decoder<ObjectRef> =>
  object<Omit<ObjectRef, 'namespace'>>(named(kind), {
    namespace: unsupported('it must be in the same namespace; remove this'),
  })
