import { isIP } from 'node:net'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HeaderMatcherSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import {
  RBAC_Action,
  type PermissionSchema,
  type PolicySchema,
  type PrincipalSchema,
  type RBACSchema,
} from '../../xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
  InboundPort,
} from '../model/model.ts'
import { logic, type Action, type Answer, type Question } from './answer.ts'
import { parseValuePattern, patternRegex, regexMatch, stringMatch, type StringMatch } from './value-pattern.ts'

type Rbac = MessageInitShape<typeof RBACSchema>
type Policy = MessageInitShape<typeof PolicySchema>
type Permission = MessageInitShape<typeof PermissionSchema>
type Principal = MessageInitShape<typeof PrincipalSchema>
type HeaderMatch = MessageInitShape<typeof HeaderMatcherSchema>

/** What decides: whether the caller's protocol shows requests, and the program's port, which is known when this is rendered. */
interface Place {
  readonly http: boolean
  readonly targetPort: number
  readonly action: Action
}

/** The RBAC filters of one inbound port in the order in which they run: deny, allow, audit. `http` false: for a raw byte stream. */
export function renderAuthorization(
  { authorization, targetPort }: Pick<InboundPort, 'authorization' | 'targetPort'>,
  { http }: { http: boolean },
): readonly { readonly name: Action; readonly rules: Rbac }[] {
  const { deny, allow, allowPresent, audit } = authorization
  const policies = (action: Action, rules: readonly AuthorizationRule[]): Record<string, Policy> =>
    Object.fromEntries(rules.flatMap((rule) => renderRule(rule, { http, targetPort, action })))
  return [
    ...(deny.length > 0
      ? [{ name: 'deny' as const, rules: { action: RBAC_Action.DENY, policies: policies('deny', deny) } }]
      : []),
    // Without a policy in it this one refuses everything: an ALLOW policy selects the port and nothing can match.
    ...(allow.length > 0 || allowPresent
      ? [{ name: 'allow' as const, rules: { action: RBAC_Action.ALLOW, policies: policies('allow', allow) } }]
      : []),
    ...(audit.length > 0
      ? [{ name: 'audit' as const, rules: { action: RBAC_Action.LOG, policies: policies('audit', audit) } }]
      : []),
  ]
}

function renderRule(rule: AuthorizationRule, place: Place): [string, Policy][] {
  const conditions = rule.when.map((condition) => conditionAnswer(condition, place))
  const permissions = alternatives(rule.to, (operation) => permission.and(operationAnswers(operation, place)))
  const principals =
    rule.from.length === 0
      ? possible([principal.and(conditions)])
      : possible(rule.from.map((source) => principal.and([...sourceAnswers(source, place), ...conditions])))
  if (permissions.length === 0 || principals.length === 0) return []
  return [[rule.name, { permissions: permissions.map(asPermission), principals: principals.map(asPrincipal) }]]
}

const possible = <T>(answers: readonly Answer<T>[]): readonly (true | T)[] =>
  answers.filter((one): one is true | T => one !== false)
const alternatives = <Item, T>(items: readonly Item[], ask: (item: Item) => Answer<T>): readonly (true | T)[] =>
  items.length === 0 ? [true] : possible(items.map(ask))

const asPermission = (answer: true | Permission): Permission =>
  answer === true ? { rule: { case: 'any', value: true } } : answer
const asPrincipal = (answer: true | Principal): Principal =>
  answer === true ? { identifier: { case: 'any', value: true } } : answer

const permission = logic<Permission>({
  and: (rules) => ({ rule: { case: 'andRules', value: { rules } } }),
  or: (rules) => ({ rule: { case: 'orRules', value: { rules } } }),
  not: (one) => ({ rule: { case: 'notRule', value: one } }),
})
const principal = logic<Principal>({
  and: (ids) => ({ identifier: { case: 'andIds', value: { ids } } }),
  or: (ids) => ({ identifier: { case: 'orIds', value: { ids } } }),
  not: (one) => ({ identifier: { case: 'notId', value: one } }),
})

// Where the call goes.

function operationAnswers(operation: AuthorizationOperation, place: Place): readonly Answer<Permission>[] {
  const { hosts, notHosts, ports, notPorts, methods, notMethods, paths, notPaths } = operation
  const lists = permission.lists(place.action)
  return [
    ...lists(hosts, notHosts, (value) => onHttp(place, () => header(hostMatch(value)))),
    ...lists(ports, notPorts, (value) => Number(value) === place.targetPort),
    ...lists(methods, notMethods, (value) => onHttp(place, () => header({ name: ':method', ...headerValue(value) }))),
    ...lists(paths, notPaths, (value) => onHttp(place, () => path(value))),
  ]
}

const onHttp = <T>({ http }: Place, ask: () => Answer<T>): Answer<T> | undefined => (http ? ask() : undefined)

const header = (match: HeaderMatch): Permission => ({ rule: { case: 'header', value: match } })

function path(value: string): Answer<Permission> {
  const match = stringMatch(parseValuePattern(value))
  if (match === undefined) return true
  return { rule: { case: 'urlPath', value: { rule: { case: 'path', value: match } } } }
}

function headerValue(value: string): Pick<HeaderMatch, 'headerMatchSpecifier'> {
  const match = stringMatch(parseValuePattern(value))
  return {
    headerMatchSpecifier:
      match === undefined ? { case: 'presentMatch', value: true } : { case: 'stringMatch', value: match },
  }
}

/** Host names know no case, and a request may carry the port or not: `shop.example` means both. */
function hostMatch(value: string): HeaderMatch {
  const pattern = parseValuePattern(value)
  if (pattern.kind === 'present') return { name: ':authority', ...headerValue('*') }
  const port = pattern.kind === 'prefix' || /:\d+$/.test(value) ? '' : '(:[0-9]+)?'
  const match = regexMatch(`(?i)${patternRegex(pattern, '.*')}${port}`)
  return { name: ':authority', headerMatchSpecifier: { case: 'stringMatch', value: match } }
}

// Where the call comes from.

function sourceAnswers(source: AuthorizationSource, { action }: Place): readonly Answer<Principal>[] {
  const lists = principal.lists(action)
  return [
    ...lists(source.principals, source.notPrincipals, identity),
    ...lists(source.namespaces, source.notNamespaces, namespace),
    ...lists(source.ipBlocks, source.notIpBlocks, ipBlock),
  ]
}

const authenticated = (match: StringMatch): Principal => ({
  identifier: { case: 'authenticated', value: { principalName: match } },
})

const scheme = 'spiffe://'

/** `cluster.local/ns/x/sa/y`, with or without `spiffe://`. Plain text has no principal and matches none, not even `*`. */
function identity(value: string): Principal {
  const pattern = parseValuePattern(value)
  if (pattern.kind === 'present') return authenticated({ matchPattern: { case: 'prefix', value: scheme } })
  const prefix = pattern.kind === 'suffix' || pattern.value.startsWith(scheme) ? '' : scheme
  return authenticated({ matchPattern: { case: pattern.kind, value: prefix + pattern.value } })
}

/** The namespace stands between `/ns/` and `/sa/` of the SPIFFE ID, nowhere else. */
const namespace = (value: string): Principal =>
  authenticated(regexMatch(`spiffe://[^/]+/ns/${patternRegex(parseValuePattern(value), '[^/]*')}/sa/[^/]+`))

/** An address or a CIDR block of the connection itself. Undefined when it is neither. */
function ipBlock(value: string): Principal | undefined {
  const [address = '', bits] = value.split('/')
  const family = isIP(address)
  if (family === 0) return undefined
  const longest = family === 4 ? 32 : 128
  const prefixLen = bits === undefined ? longest : Number(bits)
  if (!Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > longest) return undefined
  return { identifier: { case: 'directRemoteIp', value: { addressPrefix: address, prefixLen } } }
}

// Further conditions.

const headerKey = /^request\.headers\[([^\]]+)\]$/

/** Conditions are put to the caller's side, whatever they ask: a principal may ask for headers too. */
const conditionAnswer = ({ key, values, notValues }: AuthorizationCondition, place: Place): Answer<Principal> =>
  principal.and(principal.lists(place.action)(values, notValues, questionFor(key, place)))

function questionFor(key: string, place: Place): Question<Principal> {
  const [, name] = headerKey.exec(key) ?? []
  if (name !== undefined) {
    return (value) =>
      onHttp(place, () => ({
        identifier: { case: 'header' as const, value: { name: name.toLowerCase(), ...headerValue(value) } },
      }))
  }
  switch (key) {
    case 'source.principal':
      return identity
    case 'source.namespace':
      return namespace
    case 'source.ip':
      return ipBlock
    case 'destination.port':
      return (value) => Number(value) === place.targetPort
    default:
      return () => undefined
  }
}
