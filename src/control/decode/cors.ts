import {
  boolean,
  integer,
  invalid,
  list,
  object,
  oneOf,
  refine,
  string,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { headerName } from './header-modifier.ts'

/** Gateway API HTTPCORSFilter. In each list "*" stands alone and means all. */
export interface Cors {
  /** "https://shop.example", "https://*.shop.example", "*". */
  readonly allowOrigins: readonly string[]
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly allowCredentials: boolean
  /** How long a browser may keep the answer, seconds. */
  readonly maxAge: number
}

const origin: Decoder<string> = string({
  form: /^(\*|https?:\/\/(\*\.)?[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?|https?:\/\/\*)$/,
  expected: 'an origin such as "https://shop.example", "https://*.shop.example" or "*"',
})

/** At most `max` of them; beside "*" nothing else means anything. */
const orAll = <T extends string>(item: Decoder<T>, max: number): Decoder<readonly string[]> =>
  refine(
    list<string>((value, path, issues) => (value === '*' ? '*' : item(value, path, issues)), { max }),
    (items, path, issues) => {
      if (items.length < 2 || !items.includes('*')) return items
      issues.push({ path, message: 'beside "*" nothing else means anything; remove the rest, or "*"' })
      return invalid
    },
  )

const method = oneOf('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH')

export const cors: Decoder<Cors> = object<Cors>({
  allowOrigins: withDefault(orAll(origin, 64), []),
  allowMethods: withDefault(orAll(method, 9), []),
  allowHeaders: withDefault(orAll(headerName, 64), []),
  exposeHeaders: withDefault(orAll(headerName, 64), []),
  allowCredentials: withDefault(boolean, false),
  maxAge: withDefault(integer({ min: 1, max: 2 ** 31 - 1 }), 5),
})
