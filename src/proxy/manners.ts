import type { HttpTerminal } from './config.ts'
import type { Fault } from './http/fault.ts'
import { headerField, type HeaderField } from './http/headers.ts'
import { isFault, type Layer } from './http/service.ts'
import { normalizePath, soundPath } from './route/path.ts'

const refused = (status: 400 | 403, cause: string): Promise<Fault> =>
  Promise.resolve({ kind: 'bad-request', side: 'downstream', retry: 'never', status, cause })

/**
 * One path for matching, policy and the program: written in one form, or refused where programs would disagree about it. Where that is
 * not wanted the path stays as it is, if it is one.
 */
export function paths({ normalize, mergeSlashes }: HttpTerminal['paths']): Layer {
  const shape = normalize || mergeSlashes ? { dots: normalize, mergeSlashes } : undefined
  return (next) => (call) => {
    if (call.method === 'CONNECT') return next(call)
    const path = shape === undefined ? soundPath(call.path) : normalizePath(call.path, shape)
    if (path === undefined) return refused(400, 'the path can be read in more than one way')
    call.path = path
    return next(call)
  }
}

/** Who wants to change to a protocol that is not offered is refused. */
export function upgrades(allowed: readonly string[]): Layer {
  return (next) => (call) =>
    call.upgrade === undefined || allowed.includes(call.upgrade.toLowerCase())
      ? next(call)
      : refused(403, `an upgrade to ${call.upgrade} is not offered here`)
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
