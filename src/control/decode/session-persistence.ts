import { invalid, object, oneOf, optional, refine, string, withDefault, type Decoder } from '../../base/decode.ts'
import { duration } from './duration.ts'

/** What cookies can say. */
const wholeSeconds: Decoder<number> = refine(duration, (ms, path, issues) => {
  if (ms > 0 && ms % 1000 === 0) return ms
  issues.push({ path, message: 'must be whole seconds, at least 1s' })
  return invalid
})

/** Gateway API SessionPersistence (GEP-1619): calls of one client stay at one endpoint, as long as it is there. */
export interface SessionPersistence {
  readonly type: 'Cookie' | 'Header'
  /** Absent: one that no other rule has. */
  readonly sessionName?: string
  /** Ms; absent: it ends with the browser's session. */
  readonly absoluteTimeout?: number
  /** Ms; absent: it does not end because nobody calls. */
  readonly idleTimeout?: number
}

interface Written extends SessionPersistence {
  readonly cookieConfig?: { readonly lifetimeType: 'Session' | 'Permanent' }
}

/** A token of RFC 9110 that is a cookie's name as well. */
const name = string({ form: /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, expected: 'a name of a cookie or header' })

export const sessionPersistence: Decoder<SessionPersistence> = refine(
  object<Written>({
    type: withDefault(oneOf('Cookie', 'Header'), 'Cookie'),
    sessionName: optional(name),
    absoluteTimeout: optional(wholeSeconds),
    idleTimeout: optional(wholeSeconds),
    cookieConfig: optional(
      object<{ readonly lifetimeType: 'Session' | 'Permanent' }>({
        lifetimeType: withDefault(oneOf('Session', 'Permanent'), 'Session'),
      }),
    ),
  }),
  ({ cookieConfig, ...read }, path, issues) => {
    const before = issues.length
    const say = (field: string, message: string): void => void issues.push({ path: `${path}.${field}`, message })
    const { type, absoluteTimeout, idleTimeout } = read
    const lifetime = cookieConfig?.lifetimeType ?? 'Session'
    if (type === 'Header' && cookieConfig !== undefined) say('cookieConfig', 'means nothing with type Header')
    if (type === 'Header' && absoluteTimeout !== undefined)
      say('absoluteTimeout', 'a header does not say when its session began; use type Cookie')
    if (type === 'Header' && idleTimeout !== undefined)
      say('idleTimeout', 'a header does not say when its session was last used; use type Cookie')
    if (type === 'Cookie' && lifetime === 'Permanent' && absoluteTimeout === undefined)
      say('absoluteTimeout', 'is needed with lifetimeType Permanent')
    if (type === 'Cookie' && lifetime === 'Session' && absoluteTimeout !== undefined)
      say(
        'cookieConfig.lifetimeType',
        'must be Permanent with absoluteTimeout: a cookie that ends with the browser has no other end',
      )
    return issues.length > before ? invalid : read
  },
)
