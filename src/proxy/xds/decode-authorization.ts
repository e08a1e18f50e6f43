import {
  PolicySchema,
  RBAC_Action,
  RBACSchema,
  type Permission,
  type Policy,
  type Principal,
  type RBAC,
} from '../../xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { CidrRange } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import type { PathMatcher } from '../../xds/gen/envoy/type/matcher/v3/path_pb.ts'
import { isIP } from 'node:net'
import type { Authorization, Condition, Origin } from '../config.ts'
import { headerMatch, stringMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const actions: Readonly<Record<number, Authorization['action']>> = {
  [RBAC_Action.ALLOW]: 'allow',
  [RBAC_Action.DENY]: 'deny',
  [RBAC_Action.LOG]: 'log',
}
const rulesFields = fieldNames('action policies')
const policyFields = fieldNames('permissions principals')

/** The rules of an RBAC filter. `origins`: where each policy comes from, by its name. */
export function decodeAuthorization(
  rules: RBAC,
  origins: ReadonlyMap<string, Origin>,
  path: string,
  refused: Refusals,
): Authorization {
  knowOnly(RBACSchema, rules, rulesFields, path, refused)
  const action = actions[rules.action]
  if (action === undefined) refused.add(join(path, 'action'), `${rules.action} is not supported`)
  return {
    action: action ?? 'deny',
    // Envoy looks at them in this order too, so that the one named in a refusal is the same.
    policies: Object.keys(rules.policies)
      .toSorted()
      .flatMap((name) => {
        const policy = rules.policies[name]
        if (policy === undefined) return []
        return [{ name, ...decodePolicy(policy, join(path, `policies[${name}]`), refused), origin: origins.get(name) }]
      }),
  }
}

function decodePolicy(
  policy: Policy,
  path: string,
  refused: Refusals,
): { permission: Condition; principal: Condition } {
  knowOnly(PolicySchema, policy, policyFields, path, refused)
  if (policy.permissions.length === 0) refused.add(join(path, 'permissions'), 'expected at least one')
  if (policy.principals.length === 0) refused.add(join(path, 'principals'), 'expected at least one')
  return {
    permission: or(policy.permissions.map((one, i) => permission(one, join(path, `permissions[${i}]`), refused, 0))),
    principal: or(policy.principals.map((one, i) => principal(one, join(path, `principals[${i}]`), refused, 0))),
  }
}

const none: Condition = { kind: 'or', any: [] }
const or = (any: readonly Condition[]): Condition =>
  any.length === 1 && any[0] !== undefined ? any[0] : { kind: 'or', any }

/** Nesting that no policy needs, and that a walk by recursion should not follow. */
const maxDepth = 32

function permission({ rule }: Permission, path: string, refused: Refusals, depth: number): Condition {
  const each = (rules: readonly Permission[], name: string): Condition[] =>
    rules.map((one, index) => permission(one, join(path, `${name}.rules[${index}]`), refused, depth + 1))
  if (depth > maxDepth) return refuse(path, 'is nested too deeply', refused)
  switch (rule.case) {
    case 'any':
      return always(rule.value)
    case 'andRules':
      return { kind: 'and', all: each(rule.value.rules, 'and_rules') }
    case 'orRules':
      return { kind: 'or', any: each(rule.value.rules, 'or_rules') }
    case 'notRule':
      return { kind: 'not', not: permission(rule.value, join(path, 'not_rule'), refused, depth + 1) }
    case 'header':
      return { kind: 'header', match: headerMatch(rule.value, join(path, 'header'), refused) }
    case 'urlPath':
      return urlPath(rule.value, join(path, 'url_path'), refused)
    case 'destinationPort':
      return { kind: 'destination-port', port: rule.value }
    default:
      return refuse(path, `${rule.case ?? 'an empty permission'} is not supported`, refused)
  }
}

function principal({ identifier: id }: Principal, path: string, refused: Refusals, depth: number): Condition {
  const each = (ids: readonly Principal[], name: string): Condition[] =>
    ids.map((one, index) => principal(one, join(path, `${name}.ids[${index}]`), refused, depth + 1))
  if (depth > maxDepth) return refuse(path, 'is nested too deeply', refused)
  switch (id.case) {
    case 'any':
      return always(id.value)
    case 'andIds':
      return { kind: 'and', all: each(id.value.ids, 'and_ids') }
    case 'orIds':
      return { kind: 'or', any: each(id.value.ids, 'or_ids') }
    case 'notId':
      return { kind: 'not', not: principal(id.value, join(path, 'not_id'), refused, depth + 1) }
    case 'authenticated': {
      const name = id.value.principalName
      const at = join(path, 'authenticated.principal_name')
      return { kind: 'principal', match: name && stringMatch(name, at, refused) }
    }
    case 'directRemoteIp':
      return addressIn('source-ip', id.value, join(path, 'direct_remote_ip'), refused)
    case 'sourceIp':
      return addressIn('source-ip', id.value, join(path, 'source_ip'), refused)
    case 'remoteIp':
      return addressIn('client-ip', id.value, join(path, 'remote_ip'), refused)
    case 'header':
      return { kind: 'header', match: headerMatch(id.value, join(path, 'header'), refused) }
    case 'urlPath':
      return urlPath(id.value, join(path, 'url_path'), refused)
    default:
      return refuse(path, `${id.case ?? 'an empty principal'} is not supported`, refused)
  }
}

/** Envoy refuses `any: false`; "not any" says it. */
const always = (value: boolean): Condition => (value ? { kind: 'any' } : none)

function refuse(path: string, why: string, refused: Refusals): Condition {
  refused.add(path, why)
  return none
}

const urlPath = ({ rule }: PathMatcher, path: string, refused: Refusals): Condition => ({
  kind: 'path',
  match: stringMatch(rule.case === 'path' ? rule.value : undefined, join(path, 'path'), refused),
})

function addressIn(
  kind: 'source-ip' | 'client-ip',
  { addressPrefix: prefix, prefixLen: bits = 0 }: CidrRange,
  path: string,
  refused: Refusals,
): Condition {
  const family = isIP(prefix)
  if (family === 0 || bits > (family === 4 ? 32 : 128))
    return refuse(path, `${prefix}/${bits} is no address range`, refused)
  return { kind, prefix, bits }
}
