import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
  type StatefulSession,
} from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { CookieSchema } from '../../xds/gen/envoy/type/http/v3/cookie_pb.ts'
import type { SessionState } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const sessionFields = fieldNames('session_state strict')
const routeFields = fieldNames('disabled stateful_session')
const cookieFields = fieldNames('name ttl path attributes')

/** What the filter, or a route in its place, says of sessions; undefined: there are none. */
export function decodeSession(session: StatefulSession, path: string, refused: Refusals): SessionState | undefined {
  knowOnly(StatefulSessionSchema, session, sessionFields, path, refused)
  const any = session.sessionState?.typedConfig
  const { strict } = session
  if (any === undefined) return undefined
  const at = join(path, 'session_state')
  if (any.typeUrl === typeUrlOf(HeaderBasedSessionStateSchema)) {
    const name = open(any, HeaderBasedSessionStateSchema, at, refused)?.name ?? ''
    if (name === '') refused.add(join(at, 'name'), 'is empty')
    return { kind: 'header', name: name.toLowerCase(), strict }
  }
  if (any.typeUrl === typeUrlOf(CookieBasedSessionStateSchema)) return decodeCookie(any, strict, at, refused)
  refused.add(at, `${any.typeUrl} is not supported`)
  return undefined
}

function decodeCookie(any: Any, strict: boolean, path: string, refused: Refusals): SessionState | undefined {
  const cookie = open(any, CookieBasedSessionStateSchema, path, refused)?.cookie
  const at = join(path, 'cookie')
  if (cookie === undefined || cookie.name === '') {
    refused.add(join(at, 'name'), 'is missing')
    return undefined
  }
  knowOnly(CookieSchema, cookie, cookieFields, at, refused)
  return {
    kind: 'cookie',
    name: cookie.name,
    path: cookie.path,
    ttlS: Math.floor(durationMs(cookie.ttl, 0, join(at, 'ttl'), refused) / 1000),
    attributes: cookie.attributes.map(({ name, value }) => (value === '' ? name : `${name}=${value}`)),
    strict,
  }
}

/** A route's word in the place of the filter's: its own sessions, or none. `idleS`: when they end if nobody uses them. */
export function decodeRouteSession(
  any: Any,
  { idleS }: { readonly idleS: number | undefined },
  path: string,
  refused: Refusals,
): SessionState | undefined {
  const said = open(any, StatefulSessionPerRouteSchema, path, refused)
  if (said === undefined) return undefined
  knowOnly(StatefulSessionPerRouteSchema, said, routeFields, path, refused)
  const { override } = said
  if (override.case === 'statefulSession') {
    const state = decodeSession(override.value, join(path, 'stateful_session'), refused)
    return state?.kind === 'cookie' && idleS !== undefined ? { ...state, idleS } : state
  }
  if (override.case === undefined || !override.value) refused.add(path, 'expected disabled: true or stateful_session')
  return undefined
}
