import {
  RouteAction_HashPolicy_CookieSchema,
  RouteAction_HashPolicy_HeaderSchema,
  RouteAction_HashPolicySchema,
  type RouteAction_HashPolicy,
  type RouteAction_HashPolicy_Cookie,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HashPolicy } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const policyFields = fieldNames('header cookie connection_properties query_parameter terminal')
const headerFields = fieldNames('header_name')
const cookieFields = fieldNames('name ttl path attributes')

/** By what a route's calls are spread. Source: RouteAction.HashPolicy. */
export function decodeHashPolicy(policy: RouteAction_HashPolicy, path: string, refused: Refusals): HashPolicy {
  knowOnly(RouteAction_HashPolicySchema, policy, policyFields, path, refused)
  const { policySpecifier: by, terminal } = policy
  switch (by.case) {
    case 'header': {
      knowOnly(RouteAction_HashPolicy_HeaderSchema, by.value, headerFields, join(path, 'header'), refused)
      if (by.value.headerName === '') refused.add(join(path, 'header.header_name'), 'is empty')
      return { kind: 'header', name: by.value.headerName.toLowerCase(), terminal }
    }
    case 'cookie':
      return { ...decodeCookie(by.value, join(path, 'cookie'), refused), terminal }
    case 'queryParameter':
      if (by.value.name === '') refused.add(join(path, 'query_parameter.name'), 'is empty')
      return { kind: 'query-parameter', name: by.value.name, terminal }
    case 'connectionProperties':
      if (!by.value.sourceIp) refused.add(join(path, 'connection_properties.source_ip'), 'expected true')
      return { kind: 'source-ip', terminal }
    default:
      if (by.case === undefined) refused.add(path, 'expected header, cookie, connection_properties or query_parameter')
      return { kind: 'source-ip', terminal } // refused
  }
}

/** What may stand in a cookie's name, path and attributes. Source: RFC 6265, section 4.1.1. */
const tokenForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const valueForm = /^[\x20-\x3a\x3c-\x7e]*$/

function decodeCookie(
  cookie: RouteAction_HashPolicy_Cookie,
  path: string,
  refused: Refusals,
): Omit<HashPolicy & { kind: 'cookie' }, 'terminal'> {
  const { name, ttl, attributes } = cookie
  knowOnly(RouteAction_HashPolicy_CookieSchema, cookie, cookieFields, path, refused)
  if (!tokenForm.test(name)) refused.add(join(path, 'name'), 'expected the name of a cookie')
  if (!valueForm.test(cookie.path)) refused.add(join(path, 'path'), 'expected a path without semicolon')
  for (const [index, one] of attributes.entries())
    if (!tokenForm.test(one.name) || !valueForm.test(one.value))
      refused.add(join(path, `attributes[${index}]`), 'expected a name and a value without semicolon')
  if (ttl === undefined) return { kind: 'cookie', name, generate: undefined }
  return {
    kind: 'cookie',
    name,
    generate: {
      ttlS: Math.floor(durationMs(ttl, 0, join(path, 'ttl'), refused) / 1000),
      path: cookie.path,
      attributes: attributes.map((one) => (one.value === '' ? one.name : `${one.name}=${one.value}`)),
    },
  }
}
