import { compileStringMatch } from '../../base/string-match.ts'
import type { CorsPolicy } from '../config.ts'
import { emptyBody } from '../http/body.ts'
import { headerField, headerValue, type HeaderField, type Headers } from '../http/headers.ts'
import { isFault, type Call, type Layer, type Reply } from '../http/service.ts'

const varyOrigin = headerField('vary', 'Origin')
const credentials = headerField('access-control-allow-credentials', 'true')

/**
 * Tells browsers which other origins may read the replies, and answers their preflights here. A request of another origin is not
 * refused: it is the browser that hides the reply. Source: Fetch, "CORS protocol"; Envoy's CORS filter. Undefined: no layer.
 */
export function cors(policy: CorsPolicy | undefined): Layer | undefined {
  if (policy === undefined) return undefined
  const tests = policy.allowOrigins.map(compileStringMatch)
  const isAllowed = (origin: string): boolean => tests.some((test) => test?.(origin) === true)
  return (next) => (call) => {
    const origin = headerValue(call.headers, 'origin')
    if (origin === undefined) return next(call)
    const allowed = isAllowed(origin)
    const wantedMethod = headerValue(call.headers, 'access-control-request-method')
    if (call.method === 'OPTIONS' && wantedMethod !== undefined) {
      if (!allowed && policy.forwardUnmatchedPreflights) return next(call)
      call.trace.isPreflight = true
      const headers = allowed ? preflightFields(policy, origin, wantedMethod, call) : []
      return Promise.resolve<Reply>({ status: 200, headers, body: emptyBody })
    }
    if (!allowed) return next(call)
    const own = replyFields(policy, origin)
    return next(call).then((answer) =>
      isFault(answer) ? answer : { ...answer, headers: [...withoutOwn(answer.headers), ...own] },
    )
  }
}

/** What the program said of the same things would contradict us. */
const withoutOwn = (headers: Headers): Headers =>
  headers.filter(
    ({ name }) =>
      name !== 'access-control-allow-origin' &&
      name !== 'access-control-allow-credentials' &&
      name !== 'access-control-expose-headers',
  )

function replyFields({ allowCredentials, exposeHeaders }: CorsPolicy, origin: string): HeaderField[] {
  const fields = [headerField('access-control-allow-origin', origin), varyOrigin]
  if (allowCredentials) fields.push(credentials)
  if (exposeHeaders !== '') fields.push(headerField('access-control-expose-headers', exposeHeaders))
  return fields
}

/** With credentials "*" would be taken for a name: what was asked for is said instead. */
function preflightFields(policy: CorsPolicy, origin: string, wantedMethod: string, { headers }: Call): HeaderField[] {
  const spelled = (list: string, wanted: string | undefined): string =>
    list === '*' && policy.allowCredentials ? (wanted ?? '') : list
  const fields = replyFields(policy, origin)
  const methods = spelled(policy.allowMethods, wantedMethod)
  if (methods !== '') fields.push(headerField('access-control-allow-methods', methods))
  const names = spelled(policy.allowHeaders, headerValue(headers, 'access-control-request-headers'))
  if (names !== '') fields.push(headerField('access-control-allow-headers', names))
  if (policy.maxAge !== '') fields.push(headerField('access-control-max-age', policy.maxAge))
  return fields
}
