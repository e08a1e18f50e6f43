import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  RedirectAction_RedirectResponseCode as ResponseCode,
  type RedirectActionSchema,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RegexMatchAndSubstituteSchema } from '../../xds/gen/envoy/type/matcher/v3/regex_pb.ts'
import { quoteRegex } from './value-pattern.ts'
import type { PathChange, Redirect, Rewrite, RouteMatch } from '../model/model.ts'

type Regex = MessageInitShape<typeof RegexMatchAndSubstituteSchema>

const statusCodes = {
  301: ResponseCode.MOVED_PERMANENTLY,
  302: ResponseCode.FOUND,
  303: ResponseCode.SEE_OTHER,
  307: ResponseCode.TEMPORARY_REDIRECT,
  308: ResponseCode.PERMANENT_REDIRECT,
} as const

/**
 * To the port that was called unless the redirect or its scheme names another one. `bare`: a host that was called without a port shall
 * stay so; Envoy writes every port that it is told. Source: Gateway API, HTTPRequestRedirectFilter; Envoy, RedirectAction.
 */
export function renderRedirect(
  { status, scheme, host, port: wanted, path }: Redirect,
  match: RouteMatch,
  { port: called, bare = false }: { readonly port: number; readonly bare?: boolean },
): MessageInitShape<typeof RedirectActionSchema> {
  const port = wanted ?? called
  // A host of ours has no port to be replaced, and the usual one of a scheme is better not written.
  const usual = port === (scheme === 'https' ? 443 : 80) && (host !== undefined || (bare && called === 80))
  return {
    responseCode: statusCodes[status],
    ...(scheme === undefined ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: scheme } }),
    ...(host === undefined ? {} : { hostRedirect: host }),
    ...(usual ? {} : { portRedirect: port }),
    pathRewriteSpecifier: path === undefined ? { case: undefined } : renderRedirectPath(path, match),
  }
}

/** Fields of a RouteAction. */
interface XdsRewrite {
  readonly hostRewriteSpecifier?: { readonly case: 'hostRewriteLiteral'; readonly value: string }
  readonly prefixRewrite?: string
  readonly regexRewrite?: Regex
}

/** What the backend sees instead of the host and path that were asked for. */
export function renderRewrite(rewrite: Rewrite | undefined, match: RouteMatch): XdsRewrite {
  if (rewrite === undefined) return {}
  const { host, path } = rewrite
  const change = path && renderPathChange(path, match)
  return {
    ...(host === undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host } }),
    ...(change?.case === 'prefixRewrite' ? { prefixRewrite: change.value } : {}),
    ...(change?.case === 'regexRewrite' ? { regexRewrite: change.value } : {}),
  }
}

/** A redirect has a field of its own for a whole path. */
const renderRedirectPath = (
  change: PathChange,
  match: RouteMatch,
): XdsPathChange | { readonly case: 'pathRedirect'; readonly value: string } =>
  change.kind === 'full' ? { case: 'pathRedirect', value: change.value } : renderPathChange(change, match)

/** How Envoy is told to replace a path, or the part of it that matched. */
type XdsPathChange =
  | { readonly case: 'prefixRewrite'; readonly value: string }
  | { readonly case: 'regexRewrite'; readonly value: Regex }

/**
 * Prefixes are of whole segments: `/foo` to `/bar/` or `/bar` makes `/bar/x` of `/foo/x`, and to `` or `/` makes `/x` of `/foo/x` and
 * `/` of `/foo`. Envoy only cuts off and puts before, so that the edges are ours to round. Source: Gateway API, HTTPPathModifier.
 */
function renderPathChange({ kind, value }: PathChange, { path: matched }: RouteMatch): XdsPathChange {
  if (kind === 'full') return regex('^.*$', value)
  const from = withoutEnd(matched.value)
  const to = withoutEnd(value)
  // Matched is "/", and so its slash is what Envoy cuts off.
  if (from === '') return { case: 'prefixRewrite', value: `${to}/` }
  if (to === '') return regex(`^${quoteRegex(from)}/*`, '/')
  return { case: 'prefixRewrite', value: to }
}

const withoutEnd = (path: string): string => path.replace(/\/+$/, '')

const regex = (pattern: string, substitution: string): XdsPathChange => ({
  case: 'regexRewrite',
  value: { pattern: { regex: pattern }, substitution },
})
