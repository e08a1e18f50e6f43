import { asWireText } from '../../base/string-match.ts'
import {
  RedirectActionSchema,
  RedirectAction_RedirectResponseCode as ResponseCode,
  type RedirectAction,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RegexMatchAndSubstitute } from '../../xds/gen/envoy/type/matcher/v3/regex_pb.ts'
import { compileReplacement } from '../../base/regex.ts'
import type { PathChange, PathMatch, Replacement, RouteAction } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** Where the matched part ends decides what is replaced. Source: Envoy RouteAction.prefix_rewrite. */
export function decodePrefixRewrite(value: string, matched: PathMatch): PathChange {
  const wire = asWireText(value)
  return matched.kind === 'prefix' || matched.kind === 'segments'
    ? { kind: 'prefix', length: asWireText(matched.value).length, value: wire }
    : { kind: 'full', value: wire }
}

/** Two forms need no engine: all of the path, or a literal prefix cut off. Undefined, and refused, for what no engine takes. */
export function decodeRegexRewrite(
  { pattern, substitution }: RegexMatchAndSubstitute,
  path: string,
  refused: Refusals,
): PathChange | undefined {
  const regex = pattern?.regex ?? ''
  if (regex === '^.*$' && !substitution.includes('\\')) return { kind: 'full', value: asWireText(substitution) }
  const [, literal] = /^\^((?:[^\\.+*?()|[\]{}^$]|\\[^A-Za-z0-9])+)\/\*$/.exec(regex) ?? []
  if (literal !== undefined && substitution === '/')
    return { kind: 'strip', length: asWireText(literal.replace(/\\(.)/g, '$1')).length }
  return { kind: 'regex', replacement: decodeReplacement(regex, substitution, path, refused) }
}

/** Tried, and refused if no engine takes it. */
export function decodeReplacement(pattern: string, substitution: string, path: string, refused: Refusals): Replacement {
  const replacement = { pattern, substitution: asWireText(substitution) }
  const tried = compileReplacement(pattern, replacement.substitution)
  if (typeof tried === 'string')
    refused.add(path, `${JSON.stringify(pattern)} → ${JSON.stringify(substitution)}: ${tried}`)
  return replacement
}

const redirectFields = fieldNames(`https_redirect scheme_redirect host_redirect port_redirect path_redirect
  prefix_rewrite regex_rewrite response_code strip_query`)

const statuses: Readonly<Record<ResponseCode, 301 | 302 | 303 | 307 | 308>> = {
  [ResponseCode.MOVED_PERMANENTLY]: 301,
  [ResponseCode.FOUND]: 302,
  [ResponseCode.SEE_OTHER]: 303,
  [ResponseCode.TEMPORARY_REDIRECT]: 307,
  [ResponseCode.PERMANENT_REDIRECT]: 308,
}

/** Source: envoy.config.route.v3.RedirectAction. */
export function decodeRedirect(
  action: RedirectAction,
  matched: PathMatch,
  path: string,
  refused: Refusals,
): RouteAction {
  knowOnly(RedirectActionSchema, action, redirectFields, path, refused)
  const { schemeRewriteSpecifier: by } = action
  const scheme = by.case === 'schemeRedirect' ? by.value : by.case === 'httpsRedirect' && by.value ? 'https' : undefined
  if (action.portRedirect > 65_535) refused.add(join(path, 'port_redirect'), 'is no port')
  for (const [field, text] of [
    ['scheme_redirect', scheme ?? ''],
    ['host_redirect', action.hostRedirect],
  ] as const)
    if (!/^[A-Za-z0-9+\-._~:[\]]*$/.test(text)) refused.add(join(path, field), `${JSON.stringify(text)} is none`)
  return {
    kind: 'redirect',
    status: statuses[action.responseCode] ?? 301,
    scheme: scheme === '' ? undefined : scheme,
    host: action.hostRedirect === '' ? undefined : action.hostRedirect,
    port: action.portRedirect === 0 ? undefined : action.portRedirect,
    path: redirectPath(action, matched, path, refused),
    stripQuery: action.stripQuery,
  }
}

function redirectPath(
  { pathRewriteSpecifier: by }: RedirectAction,
  matched: PathMatch,
  path: string,
  refused: Refusals,
): PathChange | undefined {
  switch (by.case) {
    case 'pathRedirect':
      return { kind: 'full', value: sound(by.value, join(path, 'path_redirect'), refused) }
    case 'prefixRewrite':
      return decodePrefixRewrite(sound(by.value, join(path, 'prefix_rewrite'), refused), matched)
    case 'regexRewrite':
      return decodeRegexRewrite(by.value, join(path, 'regex_rewrite'), refused)
    default:
      return undefined // absent, or refused by knowOnly
  }
}

/** No blank and no control character may reach a request line or a header. */
export function sound(value: string, path: string, refused: Refusals): string {
  if (/[\p{Cc} #]/u.test(value)) refused.add(path, `${JSON.stringify(value)} is no path`)
  return value
}
