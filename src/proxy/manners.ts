import type { HttpTerminal, PathShape, RouteAction } from './config.ts'
import { emptyBody } from './http/body.ts'
import type { Fault } from './http/fault.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import { isFault, type Call, type Layer, type Reply } from './http/service.ts'
import { decodeSlashes, normalizePath, soundPath } from './route/path.ts'

const refused = (status: 400 | 403, cause: string): Promise<Fault> =>
  Promise.resolve({ kind: 'bad-request', side: 'downstream', retry: 'never', status, cause })

/**
 * One path for matching, policy and the program: written in one form, or refused where programs would disagree about it. Where that is
 * not wanted the path stays as it is, if it is one.
 */
export function paths({ normalize, mergeSlashes, escapedSlashes }: PathShape): Layer {
  const keepSlashes = escapedSlashes === 'keep'
  const shape = normalize || mergeSlashes ? { dots: normalize, mergeSlashes, keepSlashes } : undefined
  const decodes = escapedSlashes !== undefined && !keepSlashes
  return (next) => (call) => {
    if (call.method === 'CONNECT') return next(call)
    const plain = decodes ? decodeSlashes(call.path) : call.path
    const wasEscaped = plain !== call.path
    if (wasEscaped && escapedSlashes === 'refuse') return refused(400, 'the path has an escaped slash')
    const path = shape === undefined ? soundPath(plain) : normalizePath(plain, shape)
    if (path === undefined) return refused(400, 'the path can be read in more than one way')
    call.path = path
    return wasEscaped && escapedSlashes === 'redirect' ? redirectTo(call) : next(call)
  }
}

/** To the same place by its plain path. One that begins with "//" would name another host. */
function redirectTo({ scheme, authority, path }: Call): Promise<Reply> {
  const location = path.startsWith('//') ? `${scheme}://${authority}${path}` : path
  return Promise.resolve({ status: 307, headers: [headerField('location', location)], body: emptyBody })
}

/** Why an upgrade is not taken: neither the route says that it is offered, nor, where that says nothing of it, the listener. Undefined: it is. */
export function upgradeRefused(
  upgrade: string,
  offered: readonly string[],
  action: RouteAction,
): Promise<Fault> | undefined {
  const type = upgrade.toLowerCase()
  const forward = action.kind === 'forward' ? action : undefined
  const ofRoute = forward?.upgrades?.get(type)
  const possible = type !== 'connect' || forward?.endsConnect === true
  return possible && (ofRoute ?? offered.includes(type))
    ? undefined
    : refused(403, `an upgrade to ${upgrade} is not offered here`)
}

/** Fields whose names have a `_`, which many programs cannot tell from `-`: without them, or not at all. Undefined: they pass. */
export function underscores(action: HttpTerminal['underscores']): Layer | undefined {
  if (action === undefined) return undefined
  const has = ({ name }: HeaderField): boolean => name.includes('_')
  return (next) => (call) => {
    const { headers } = call
    if (!headers.some(has)) return next(call)
    if (action === 'refuse') return refused(400, 'the name of a header field has an underscore')
    call.headers = headers.filter((field) => !has(field))
    return next(call)
  }
}

/** Replies say who answered; undefined: the backend's word stays. */
export function serverHeader(server: HttpTerminal['serverHeader']): Layer | undefined {
  if (server === undefined) return undefined
  const field = headerField('server', server.name)
  const overwrite = server.how === 'overwrite'
  return (next) => (call) =>
    next(call).then((answer) => {
      if (isFault(answer)) return answer
      const headers: HeaderField[] = []
      for (const one of answer.headers)
        if (one.name !== 'server') headers.push(one)
        else if (!overwrite) return answer
      headers.push(field)
      const { status, body, tunnel } = answer
      return tunnel === undefined ? { status, headers, body } : { status, headers, body, tunnel }
    })
}
