import type { Clock } from '../../base/clock.ts'
import { cookieValue, setCookie } from '../../base/cookie.ts'
import type { SessionState } from '../config.ts'
import { headerField, headerValue, type HeaderField } from '../http/headers.ts'
import { isFault, type Call, type CallSession, type Layer } from '../http/service.ts'
import { readSession, writeSession } from './session-value.ts'

/**
 * Tells which endpoint a call's session is at, and tells the client when the call went to another one. The values are Envoy's, so that
 * gateways of both kinds may stand side by side. Source: Envoy, `stateful_session`.
 */
export function session(state: SessionState, clock: Clock): Layer {
  return (next) => (call) => {
    if (state.kind === 'cookie' && !isBelow(call.path, state.path)) return next(call)
    const wanted = sessionOf(state, call, clock.wallMs())
    const own: CallSession = { wanted, strict: state.strict, taken: undefined }
    call.session = own
    return next(call).then((answer) => {
      if (isFault(answer) || own.taken === undefined || own.taken === wanted) return answer
      return { ...answer, headers: [...answer.headers, told(state, own.taken, clock)] }
    })
  }
}

/** "host:port" of the endpoint where the call's session is; undefined: it has none, or not any more. `wallMs`: now; 0: ends are not looked at. */
export function sessionOf(state: SessionState, call: Pick<Call, 'headers'>, wallMs: number): string | undefined {
  const value = state.kind === 'header' ? headerValue(call.headers, state.name) : cookieValue(call.headers, state.name)
  return value === undefined ? undefined : readSession(state.kind, value, wallMs)
}

function told(state: SessionState, address: string, clock: Clock): HeaderField {
  if (state.kind === 'header') return headerField(state.name, writeSession('header', address, 0))
  const { name, path, ttlS, attributes } = state
  const untilS = ttlS === 0 ? 0 : Math.floor(clock.wallMs() / 1000) + ttlS
  return headerField('set-cookie', setCookie(name, writeSession('cookie', address, untilS), { ttlS, path, attributes }))
}

/** Whole segments. Source: RFC 6265, section 5.1.4. */
function isBelow(path: string, whole: string): boolean {
  if (whole === '' || whole === '/') return true
  const bare = path.split('?', 1)[0] ?? ''
  return bare === whole || bare.startsWith(whole.endsWith('/') ? whole : `${whole}/`)
}
