import type { Clock } from '../../base/clock.ts'
import { cookieValue, setCookie } from '../../base/cookie.ts'
import type { SessionState } from '../config.ts'
import { headerField, headerValue, type HeaderField } from '../http/headers.ts'
import { isFault, type Call, type CallSession, type Layer } from '../http/service.ts'
import { readSession, writeSession, type SessionValue } from './session-value.ts'

/**
 * Tells which endpoint a call's session is at, and tells the client when the call went to another one. The values are Envoy's, so that
 * gateways of both kinds may stand side by side. A session that ends when nobody uses it is told anew with each reply, each second once.
 * Source: Envoy, `stateful_session`.
 */
export function session(state: SessionState, clock: Clock): Layer {
  return (next) => (call) => {
    if (state.kind === 'cookie' && !isBelow(call.path, state.path)) return next(call)
    const brought = sessionOf(state, call, clock.wallMs())
    const wanted = brought?.address
    const own: CallSession = { wanted, strict: state.strict, taken: undefined }
    call.session = own
    return next(call).then((answer) => {
      if (isFault(answer) || own.taken === undefined) return answer
      const field = own.taken === wanted ? refreshed(state, brought, clock) : told(state, own.taken, clock)
      return field === undefined ? answer : { ...answer, headers: [...answer.headers, field] }
    })
  }
}

/** Where the call's session is, and when it ends; undefined: it has none, or not any more. `wallMs`: now; 0: ends are not looked at. */
export function sessionOf(state: SessionState, call: Pick<Call, 'headers'>, wallMs: number): SessionValue | undefined {
  const value = state.kind === 'header' ? headerValue(call.headers, state.name) : cookieValue(call.headers, state.name)
  return value === undefined ? undefined : readSession(state.kind, value, wallMs)
}

function told(state: SessionState, address: string, clock: Clock): HeaderField {
  if (state.kind === 'header')
    return headerField(state.name, writeSession('header', { address, untilS: 0, atMostS: 0 }))
  const { ttlS, idleS } = state
  const nowS = secondOf(clock)
  const endS = ttlS === 0 ? 0 : nowS + ttlS
  const value =
    idleS === undefined ? { address, untilS: endS, atMostS: 0 } : idleValue({ address, atMostS: endS }, nowS + idleS)
  return cookie(state, value, ttlS)
}

/** The same session, which has been used again; undefined: it does not end by idleness, or the client knows. */
function refreshed(state: SessionState, brought: SessionValue | undefined, clock: Clock): HeaderField | undefined {
  if (brought === undefined || state.kind === 'header' || state.idleS === undefined) return undefined
  const nowS = secondOf(clock)
  // One that began before it could end by idleness, or at an Envoy, has one end only.
  const atMostS = brought.atMostS === 0 && state.ttlS > 0 ? brought.untilS : brought.atMostS
  const value = idleValue({ address: brought.address, atMostS }, nowS + state.idleS)
  const known = value.untilS === brought.untilS && atMostS === brought.atMostS
  return known ? undefined : cookie(state, value, atMostS === 0 ? 0 : atMostS - nowS)
}

const secondOf = (clock: Clock): number => Math.floor(clock.wallMs() / 1000)

/** It never outlives its end, however much it is used. */
const idleValue = ({ address, atMostS }: Omit<SessionValue, 'untilS'>, idleEndS: number): SessionValue => ({
  address,
  untilS: atMostS === 0 ? idleEndS : Math.min(idleEndS, atMostS),
  atMostS,
})

const cookie = (
  { name, path, attributes }: Extract<SessionState, { kind: 'cookie' }>,
  value: SessionValue,
  ttlS: number,
): HeaderField => headerField('set-cookie', setCookie(name, writeSession('cookie', value), { ttlS, path, attributes }))

/** Whole segments. Source: RFC 6265, section 5.1.4. */
function isBelow(path: string, whole: string): boolean {
  if (whole === '' || whole === '/') return true
  const bare = path.split('?', 1)[0] ?? ''
  return bare === whole || bare.startsWith(whole.endsWith('/') ? whole : `${whole}/`)
}
