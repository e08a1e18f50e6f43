import {
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import { cors, type Cors } from './cors.ts'
import { headerModifier, type HeaderModifier } from './header-modifier.ts'
import { portNumber, subdomain } from './names.ts'
import { requestMirror, type RequestMirror } from './request-mirror.ts'

/** Gateway API HTTPRouteFilter, one per entry of the list as it was written. */
export type RouteFilter =
  | { readonly type: 'RequestHeaderModifier'; readonly headers: HeaderModifier }
  | { readonly type: 'ResponseHeaderModifier'; readonly headers: HeaderModifier }
  | { readonly type: 'RequestRedirect'; readonly redirect: RequestRedirect }
  | { readonly type: 'URLRewrite'; readonly rewrite: UrlRewrite }
  | { readonly type: 'RequestMirror'; readonly mirror: RequestMirror }
  | { readonly type: 'CORS'; readonly cors: Cors }

export interface RequestRedirect {
  readonly scheme?: 'http' | 'https'
  readonly hostname?: string
  readonly path?: PathModifier
  readonly port?: number
  readonly statusCode: RedirectStatus
}
export type RedirectStatus = 301 | 302 | 303 | 307 | 308

export interface UrlRewrite {
  readonly hostname?: string
  readonly path?: PathModifier
}
/** Without a query, which stays as it was. */
export interface PathModifier {
  /** `prefix`: only with a single match, by PathPrefix. */
  readonly kind: 'full' | 'prefix'
  /** Begins with "/"; a prefix may be empty. */
  readonly value: string
}

/** What a path may be replaced by: nothing that would have to be escaped or read twice. */
const newPath = (empty: 'empty' | 'not-empty'): Decoder<string> =>
  refine(string(), (value, path, issues) => {
    const sound = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]{0,1023}$/.test(value) && !/\/\/|\/\.\.?(\/|$)|%2[fF]/.test(value)
    const escapes = !/%(?![0-9A-Fa-f]{2})/.test(value)
    if ((sound && escapes) || (value === '' && empty === 'empty')) return value
    return mismatch(issues, path, 'a path such as "/v2/items": no "//", "/./", "/../", "?", "#", blank or "%2F"', value)
  })

interface WrittenPath {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  readonly replaceFullPath?: string
  readonly replacePrefixMatch?: string
}
const pathModifier: Decoder<PathModifier> = refine(
  object<WrittenPath>({
    type: oneOf('ReplaceFullPath', 'ReplacePrefixMatch'),
    replaceFullPath: optional(newPath('not-empty')),
    replacePrefixMatch: optional(newPath('empty')),
  }),
  ({ type, replaceFullPath, replacePrefixMatch }, path, issues) => {
    const full = type === 'ReplaceFullPath'
    const value = full ? replaceFullPath : replacePrefixMatch
    const other = full ? replacePrefixMatch : replaceFullPath
    const [own, foreign] = full ? ['replaceFullPath', 'replacePrefixMatch'] : ['replacePrefixMatch', 'replaceFullPath']
    if (value === undefined) issues.push({ path: `${path}.${own}`, message: `is needed with type ${type}` })
    if (other !== undefined) issues.push({ path: `${path}.${foreign}`, message: `means nothing with type ${type}` })
    return value === undefined || other !== undefined ? invalid : { kind: full ? 'full' : 'prefix', value }
  },
)

const redirectStatuses: readonly RedirectStatus[] = [301, 302, 303, 307, 308]
const redirectStatus: Decoder<RedirectStatus> = (value, path, issues) =>
  redirectStatuses.find((status) => status === value) ??
  mismatch(issues, path, `one of ${redirectStatuses.join(', ')}`, value)

const requestRedirect: Decoder<RequestRedirect> = object<RequestRedirect>({
  scheme: optional(oneOf('http', 'https')),
  hostname: optional(subdomain),
  path: optional(pathModifier),
  port: optional(portNumber),
  statusCode: withDefault(redirectStatus, 302),
})
const urlRewrite: Decoder<UrlRewrite> = object<UrlRewrite>({
  hostname: optional(subdomain),
  path: optional(pathModifier),
})

interface Written {
  readonly type: RouteFilter['type']
  readonly requestHeaderModifier?: HeaderModifier
  readonly responseHeaderModifier?: HeaderModifier
  readonly requestRedirect?: RequestRedirect
  readonly urlRewrite?: UrlRewrite
  readonly requestMirror?: RequestMirror
  readonly cors?: Cors
}
const types = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'RequestMirror',
  'CORS',
] as const

/** "URLRewrite" → "urlRewrite": the field that belongs to a type. */
const fieldOf = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
  CORS: 'cors',
} as const

/** Types that the standard knows and we do not. */
const notYet: ReadonlySet<unknown> = new Set(['ExternalAuth', 'ExtensionRef'])
const type: Decoder<RouteFilter['type']> = (value, path, issues) => {
  if (!notYet.has(value)) return oneOf(...types)(value, path, issues)
  issues.push({ path, message: `${String(value)} is not supported yet; remove it` })
  return invalid
}
/** Refused by its type already. */
const withItsType = unsupported('is not supported yet; remove it')

const filter: Decoder<RouteFilter> = refine(
  object<Written>(
    {
      type,
      requestHeaderModifier: optional(headerModifier),
      responseHeaderModifier: optional(headerModifier),
      requestRedirect: optional(requestRedirect),
      urlRewrite: optional(urlRewrite),
      requestMirror: optional(requestMirror),
      cors: optional(cors),
    },
    { externalAuth: withItsType, extensionRef: withItsType },
  ),
  (written, path, issues) => {
    const own = fieldOf[written.type]
    const foreign = Object.keys(written).filter((name) => name !== 'type' && name !== own)
    for (const name of foreign)
      issues.push({ path: `${path}.${name}`, message: `means nothing with type ${written.type}` })
    const read = readFilter(written)
    if (read === undefined) issues.push({ path: `${path}.${own}`, message: `is needed with type ${written.type}` })
    return read === undefined || foreign.length > 0 ? invalid : read
  },
)

function readFilter(written: Written): RouteFilter | undefined {
  const { type: kind, requestHeaderModifier, responseHeaderModifier, requestRedirect: redirect } = written
  switch (kind) {
    case 'RequestHeaderModifier':
      return requestHeaderModifier && { type: kind, headers: requestHeaderModifier }
    case 'ResponseHeaderModifier':
      return responseHeaderModifier && { type: kind, headers: responseHeaderModifier }
    case 'RequestRedirect':
      return redirect && { type: kind, redirect }
    case 'URLRewrite':
      return written.urlRewrite && { type: kind, rewrite: written.urlRewrite }
    case 'RequestMirror':
      return written.requestMirror && { type: kind, mirror: written.requestMirror }
    case 'CORS':
      return written.cors && { type: kind, cors: written.cors }
  }
}

/** The filters of a rule. Each type but mirrors may stand there once, and what is redirected is neither rewritten nor mirrored. */
export const routeFilters: Decoder<readonly RouteFilter[]> = refine(
  list(filter, { max: 16 }),
  (filters, path, issues) => {
    const once = noneTwice(filters, path, issues)
    return notBoth(filters, path, issues) && once ? filters : invalid
  },
)

/** Only these types of filters. */
const onlyTypes = (types: readonly RouteFilter['type'][]): Decoder<readonly RouteFilter[]> =>
  refine(routeFilters, (filters, path, issues) => {
    const odd = filters.findIndex((one) => !types.includes(one.type))
    const found = filters[odd]
    if (found === undefined) return filters
    const message = `${found.type} of one backend is not supported; known are ${types.join(', ')}`
    issues.push({ path: `${path}[${odd}].type`, message })
    return invalid
  })

/** The filters of one backend: what is changed for it alone. */
export const backendFilters: Decoder<readonly RouteFilter[]> = onlyTypes([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'URLRewrite',
  'RequestRedirect',
])

/** The same where calls are not of HTTP alone. */
export const grpcBackendFilters: Decoder<readonly RouteFilter[]> = onlyTypes([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
])

function noneTwice(filters: readonly RouteFilter[], path: string, issues: Issue[]): boolean {
  const first = (one: RouteFilter): number => filters.findIndex((other) => other.type === one.type)
  const twice = filters.findIndex((one, index) => one.type !== 'RequestMirror' && first(one) !== index)
  if (twice >= 0) issues.push({ path: `${path}[${twice}].type`, message: `${filters[twice]?.type} is there twice` })
  return twice < 0
}

function notBoth(filters: readonly RouteFilter[], path: string, issues: Issue[]): boolean {
  const odd = filters.findIndex((one) => one.type === 'URLRewrite' || one.type === 'RequestMirror')
  const found = filters[odd]
  if (found === undefined || !filters.some((one) => one.type === 'RequestRedirect')) return true
  issues.push({ path: `${path}[${odd}].type`, message: `${found.type} means nothing beside RequestRedirect` })
  return false
}

/** Whether a filter replaces the matched prefix: the path of its field, to be told where that is impossible. */
export function replacesPrefix(filters: readonly RouteFilter[]): string | undefined {
  for (const [index, one] of filters.entries()) {
    if (one.type === 'RequestRedirect' && one.redirect.path?.kind === 'prefix')
      return `filters[${index}].requestRedirect.path.type`
    if (one.type === 'URLRewrite' && one.rewrite.path?.kind === 'prefix')
      return `filters[${index}].urlRewrite.path.type`
  }
  return undefined
}
