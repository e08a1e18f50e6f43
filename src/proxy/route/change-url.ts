import type { PathChange, RouteAction } from '../config.ts'
import { bytesBody } from '../http/body.ts'
import { headerField } from '../http/headers.ts'
import type { Call, Layer, Reply, Service } from '../http/service.ts'
import { withoutPort } from './domain-index.ts'
import { pathOf } from './path.ts'

/** Host and path as the upstream is to see them; undefined: nothing to do. The query stays. */
export function rewrite(authority: string | undefined, path: PathChange | undefined): Layer | undefined {
  if (authority === undefined && path === undefined) return undefined
  return (next) => (call) => {
    if (authority !== undefined) call.authority = authority
    if (path !== undefined && call.path.startsWith('/')) call.path = changePath(path, call.path)
    return next(call)
  }
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
