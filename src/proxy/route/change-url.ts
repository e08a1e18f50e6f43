import { compileReplacement } from '../../base/regex.ts'
import type { AuthorityChange, Endpoint, PathChange, Replacement, RouteAction } from '../config.ts'
import { bytesBody } from '../http/body.ts'
import { headerField, headerValue } from '../http/headers.ts'
import type { Call, Layer, Reply, Service } from '../http/service.ts'
import { withoutPort } from './domain-index.ts'
import { pathOf } from './path.ts'

/** Host and path as the upstream is to see them; undefined: nothing to do. The query stays. */
export function rewrite(
  authority: AuthorityChange | undefined,
  path: PathChange | undefined,
  tellHost = false,
): Layer | undefined {
  if ((authority === undefined || isOfEndpoint(authority)) && path === undefined) return undefined
  return (next) => (call) => {
    const asked = call.authority
    if (authority !== undefined) call.authority = changeAuthority(authority, call)
    if (call.authority !== asked) call.trace.askedAuthority = asked
    if (tellHost && call.authority !== asked) call.headers = [...call.headers, headerField('x-forwarded-host', asked)]
    if (path !== undefined && call.path.startsWith('/')) {
      call.trace.askedPath = call.path
      call.path = changePath(path, call.path)
    }
    return next(call)
  }
}

const isOfEndpoint = (change: AuthorityChange): boolean => typeof change !== 'string' && change.kind === 'endpoint'

/**
 * What follows from the endpoint that an attempt goes to; undefined: nothing. An endpoint without a name hears what was asked. `tellHost` as
 * in `rewrite`.
 */
export function rewriteByEndpoint(
  authority: AuthorityChange | undefined,
  tellHost = false,
): ((call: Call, endpoint: Pick<Endpoint, 'hostname'>) => void) | undefined {
  if (authority === undefined || !isOfEndpoint(authority)) return undefined
  /** Of calls that were renamed: an earlier attempt's name is not what was asked. */
  const askedBy = new WeakMap<Call, string>()
  return (call, { hostname }) => {
    const before = askedBy.get(call)
    const asked = before ?? call.authority
    call.authority = hostname ?? asked
    if (hostname === undefined || before !== undefined) return
    askedBy.set(call, asked)
    call.trace.askedAuthority = asked
    if (tellHost && asked !== hostname) call.headers = [...call.headers, headerField('x-forwarded-host', asked)]
  }
}

/** Host as configured; what gives none, or is known only with the endpoint, leaves it as it is. Pure. */
export function changeAuthority(
  change: AuthorityChange,
  { authority, path, headers }: Pick<Call, 'authority' | 'path' | 'headers'>,
): string {
  if (typeof change === 'string') return change
  if (change.kind === 'endpoint') return authority
  const wanted =
    change.kind === 'header' ? headerValue(headers, change.name) : replacer(change.replacement)(pathOf(path))
  return wanted !== undefined && /^[A-Za-z0-9\-._~:[\]]+$/.test(wanted) ? wanted.toLowerCase() : authority
}

const replacers = new WeakMap<Replacement, (text: string) => string>()

/** Compiled once. The decoder has tried it: what cannot be used changes nothing. */
function replacer(replacement: Replacement): (text: string) => string {
  let replace = replacers.get(replacement)
  if (replace === undefined) {
    const compiled = compileReplacement(replacement.pattern, replacement.substitution)
    replacers.set(replacement, (replace = typeof compiled === 'string' ? (text) => text : compiled))
  }
  return replace
}

/** `target` with its path changed and its query kept, unless the new path has one of its own. Pure. */
export function changePath(change: PathChange, target: string): string {
  switch (change.kind) {
    case 'full': {
      const { value } = change
      return value.includes('?') ? value : value + target.slice(pathOf(target).length)
    }
    case 'prefix':
      return change.value + target.slice(change.length)
    case 'regex': {
      const path = pathOf(target)
      const replaced = replacer(change.replacement)(path)
      // Not everything that a client may write into a path can be one where it ends up.
      return (/^\/[^\s#]*$/.test(replaced) ? replaced : path) + target.slice(path.length)
    }
    case 'strip':
      return `/${target.slice(change.length).replace(/^\/+/, '')}`
  }
}

type Redirect = RouteAction & { readonly kind: 'redirect' }

/** Answers with the place to ask instead. */
export function redirect(action: Redirect): Service {
  const body = bytesBody(Buffer.alloc(0))
  return (call) =>
    Promise.resolve<Reply>({
      status: action.status,
      headers: [headerField('location', locationOf(action, call))],
      body,
    })
}

/**
 * The absolute URL that a redirect leads to: each part as configured, else as it was asked. A scheme's usual port is not written.
 * Pure. Source: Envoy RedirectAction; Gateway API HTTPRequestRedirectFilter.
 */
export function locationOf(
  action: Omit<Redirect, 'kind' | 'status'>,
  call: Pick<Call, 'scheme' | 'authority' | 'path'>,
): string {
  const scheme = action.scheme ?? call.scheme
  const host = action.host ?? hostAsked(scheme, action.port, call)
  const usual = action.port === (scheme === 'https' ? 443 : 80)
  const port = action.port === undefined || usual ? '' : `:${action.port}`
  const path = action.path === undefined ? call.path : changePath(action.path, call.path)
  return `${scheme}://${host}${port}${action.stripQuery ? pathOf(path) : path}`
}

/** With its port, unless another takes its place or it only said the scheme that is left. */
function hostAsked(scheme: string, port: number | undefined, call: Pick<Call, 'scheme' | 'authority'>): string {
  const { authority } = call
  const usual = authority.endsWith(call.scheme === 'https' ? ':443' : ':80')
  return port !== undefined || (scheme !== call.scheme && usual) ? withoutPort(authority) : authority
}
