import { object, optional, string, withDefault, type Decoder } from '../../base/decode.ts'
import { label, subdomain } from './names.ts'

/** A resource that another one needs; without a namespace of that one's own. Whether it can be used, link decides. */
export interface ObjectRef {
  readonly group: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** Gateway API SecretObjectReference and ObjectReference; `kind` and `group` are meant when none are written. */
export const objectRef = (kind: string, group = ''): Decoder<ObjectRef> =>
  object<ObjectRef>({
    group: withDefault(string(), group),
    kind: withDefault(string(), kind),
    namespace: optional(label),
    name: subdomain,
  })
