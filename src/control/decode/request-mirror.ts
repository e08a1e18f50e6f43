import { integer, invalid, object, optional, refine, withDefault, type Decoder } from '../../base/decode.ts'
import { backendObjectRef, type BackendObjectRef } from './service-ref.ts'

/** Gateway API HTTPRequestMirrorFilter. */
export interface RequestMirror {
  readonly backend: BackendObjectRef
  /** In [0, 1]: of all requests of the rule. */
  readonly share: number
}

interface Fraction {
  readonly numerator: number
  readonly denominator: number
}
const most = 2 ** 31 - 1
const fraction: Decoder<Fraction> = refine(
  object<Fraction>({
    numerator: integer({ min: 0, max: most }),
    denominator: withDefault(integer({ min: 1, max: most }), 100),
  }),
  (read, path, issues) => {
    if (read.numerator <= read.denominator) return read
    issues.push({
      path: `${path}.numerator`,
      message: `must not be greater than the denominator (${read.denominator})`,
    })
    return invalid
  },
)

interface Written {
  readonly backendRef: BackendObjectRef
  readonly percent?: number
  readonly fraction?: Fraction
}
export const requestMirror: Decoder<RequestMirror> = refine(
  object<Written>({
    backendRef: backendObjectRef,
    percent: optional(integer({ min: 0, max: 100 })),
    fraction: optional(fraction),
  }),
  ({ backendRef, percent, fraction: part }, path, issues) => {
    if (percent !== undefined && part !== undefined) {
      issues.push({ path: `${path}.fraction`, message: 'is there beside percent; remove one of the two' })
      return invalid
    }
    const share = part === undefined ? (percent ?? 100) / 100 : part.numerator / part.denominator
    return { backend: backendRef, share }
  },
)
