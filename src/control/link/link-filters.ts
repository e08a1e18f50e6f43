import type { HttpRouteRule } from '../decode/http-route.ts'
import type { RequestRedirect, RouteFilter, UrlRewrite } from '../decode/route-filters.ts'
import type { CorsPolicy, HeaderEdits, Redirect, Rewrite } from '../model/model.ts'

/** What filters change in headers, of a rule or of one backend; what is not changed stays away. */
export function linkHeaderEdits(filters: readonly RouteFilter[] = []): HeaderEdits {
  const request = filters.find((one) => one.type === 'RequestHeaderModifier')
  const response = filters.find((one) => one.type === 'ResponseHeaderModifier')
  return {
    ...(request && { requestHeaders: request.headers }),
    ...(response && { responseHeaders: response.headers }),
  }
}

/** Which other origins a rule lets read its replies; undefined: it does not say. */
export function linkCors({ filters = [] }: Pick<HttpRouteRule, 'filters'>): CorsPolicy | undefined {
  const found = filters.find((one) => one.type === 'CORS')
  if (found === undefined) return undefined
  const { maxAge, ...lists } = found.cors
  return { ...lists, maxAgeSeconds: maxAge }
}

/** Where a rule sends its callers instead of forwarding; undefined: it forwards. */
export function linkRedirect({ filters = [] }: Pick<HttpRouteRule, 'filters'>): Redirect | undefined {
  const found = filters.find((one) => one.type === 'RequestRedirect')
  return found && redirect(found.redirect)
}

const wellKnown = { http: 80, https: 443 } as const

const redirect = ({ scheme, hostname, path, port, statusCode }: RequestRedirect): Redirect => ({
  kind: 'redirect',
  status: statusCode,
  scheme,
  host: hostname,
  port: port ?? (scheme === undefined ? undefined : wellKnown[scheme]),
  path,
})

/** How a rule changes the URL on the way; undefined: not at all. */
export function linkRewrite({ filters = [] }: Pick<HttpRouteRule, 'filters'>): Rewrite | undefined {
  const found = filters.find((one) => one.type === 'URLRewrite')
  return found && rewrite(found.rewrite)
}
const rewrite = ({ hostname, path }: UrlRewrite): Rewrite | undefined =>
  hostname === undefined && path === undefined ? undefined : { host: hostname, path }
