import {
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { parseIp, prefixTest } from '../../base/ip-prefix.ts'
import { policyTarget, targetFields, type PolicyTarget } from './policy-target.ts'

/** Istio AuthorizationPolicy, field by field; what it needs JWT or an external service for is refused until we have them. */
export interface AuthorizationPolicySpec {
  readonly target: PolicyTarget
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT'
  /** Empty: never matches (an ALLOW policy without rules allows nothing). A rule without parts matches everything. */
  readonly rules: readonly AuthorizationRuleSpec[]
}
export interface AuthorizationRuleSpec {
  readonly from: readonly SourceSpec[]
  readonly to: readonly OperationSpec[]
  readonly when: readonly ConditionSpec[]
}
export interface SourceSpec {
  readonly principals: readonly string[]
  readonly notPrincipals: readonly string[]
  readonly namespaces: readonly string[]
  readonly notNamespaces: readonly string[]
  readonly ipBlocks: readonly string[]
  readonly notIpBlocks: readonly string[]
}
export interface OperationSpec {
  readonly hosts: readonly string[]
  readonly notHosts: readonly string[]
  readonly ports: readonly string[]
  readonly notPorts: readonly string[]
  readonly methods: readonly string[]
  readonly notMethods: readonly string[]
  readonly paths: readonly string[]
  readonly notPaths: readonly string[]
}
export interface ConditionSpec {
  readonly key: string
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

/** "x", "x*", "*x" or "*": where Istio takes a star. */
const pattern = refine(
  string({ form: /^[\s\S]{1,1024}$/, expected: 'text of 1 to 1024 characters' }),
  (text, path, issues) =>
    text.slice(1, -1).includes('*') || text === '**'
      ? mismatch(issues, path, 'a "*" only at one end', text)
      : text.length > 1 && text.startsWith('*') && text.endsWith('*')
        ? mismatch(issues, path, 'a "*" at one end, not at both', text)
        : text,
)
const patterns = withDefault(list(pattern, { max: 512 }), [])

/** Istio's path templates would be read as something else, and a rule that silently matches nothing is a hole or an outage. */
const pathPattern = refine(string(), (text, path, issues) => {
  const template = /\{\*{1,2}\}/.exec(text)?.[0]
  if (template === undefined) return pattern(text, path, issues)
  issues.push({ path, message: `path templates (${template}) are not supported yet; a "*" at one end is` })
  return invalid
})
const paths = withDefault(list(pathPattern, { max: 512 }), [])

const ipBlock = refine(string(), (text, path, issues) => {
  const [, address = '', bits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const sound = bits === undefined ? parseIp(address) !== undefined : prefixTest(address, Number(bits)) !== undefined
  return sound ? text : mismatch(issues, path, 'an address or CIDR block such as "10.0.0.0/8"', text)
})
const ipBlocks = withDefault(list(ipBlock, { max: 512 }), [])

const port = refine(string(), (text, path, issues) =>
  /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
    ? text
    : mismatch(issues, path, 'a port as a string, such as "8080"', text),
)
const ports = withDefault(list(port, { max: 512 }), [])

const jwt = unsupported('needs RequestAuthentication (JWT), which is not supported yet')
/** One that says nothing would match everybody; Istio refuses it too. */
const saysSomething = <T extends object>(decoder: Decoder<T>): Decoder<T> =>
  refine(decoder, (one, path, issues) => {
    if (Object.values(one).some((field) => Array.isArray(field) && field.length > 0)) return one
    issues.push({ path, message: 'needs at least one field that is not empty' })
    return invalid
  })
const source = object<SourceSpec>(
  {
    principals: patterns,
    notPrincipals: patterns,
    namespaces: patterns,
    notNamespaces: patterns,
    ipBlocks,
    notIpBlocks: ipBlocks,
  },
  {
    requestPrincipals: jwt,
    notRequestPrincipals: jwt,
    remoteIpBlocks: unsupported('not supported yet; ipBlocks matches the address of the peer'),
    notRemoteIpBlocks: unsupported('not supported yet; notIpBlocks matches the address of the peer'),
    serviceAccounts: unsupported('not supported yet; principals can say the same'),
    notServiceAccounts: unsupported('not supported yet; notPrincipals can say the same'),
  },
)
const operation = object<OperationSpec>({
  hosts: patterns,
  notHosts: patterns,
  ports,
  notPorts: ports,
  methods: patterns,
  notMethods: patterns,
  paths,
  notPaths: paths,
})

const knownKeys =
  /^(request\.headers\[[A-Za-z0-9!#$%&'*+.^_`|~-]+\]|source\.(ip|namespace|principal)|destination\.port)$/
const condition = refine(
  object<ConditionSpec>({ key: string(), values: patterns, notValues: patterns }),
  (written, path, issues) => {
    const { key, values, notValues } = written
    if (!knownKeys.test(key))
      return mismatch(
        issues,
        `${path}.key`,
        'request.headers[NAME], source.ip, source.namespace, source.principal or destination.port',
        key,
      )
    const before = issues.length
    if (values.length + notValues.length === 0) issues.push({ path, message: 'values or notValues is needed' })
    const value = key === 'source.ip' ? ipBlock : key === 'destination.port' ? port : pattern
    values.forEach((one, index) => value(one, `${path}.values[${index}]`, issues))
    notValues.forEach((one, index) => value(one, `${path}.notValues[${index}]`, issues))
    return issues.length > before ? invalid : written
  },
)

const rule = object<AuthorizationRuleSpec>({
  from: withDefault(
    list(
      refine(object<{ readonly source: SourceSpec }>({ source: saysSomething(source) }), (one) => one.source),
      { max: 512 },
    ),
    [],
  ),
  to: withDefault(
    list(
      refine(
        object<{ readonly operation: OperationSpec }>({ operation: saysSomething(operation) }),
        (one) => one.operation,
      ),
      { max: 512 },
    ),
    [],
  ),
  when: withDefault(list(condition, { max: 512 }), []),
})

interface Written {
  readonly selector?: Readonly<Record<string, string>>
  readonly targetRefs?: readonly string[]
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'
  readonly rules: readonly AuthorizationRuleSpec[]
}

export const authorizationPolicySpec: Decoder<AuthorizationPolicySpec> = refine(
  object<Written>(
    {
      ...targetFields,
      action: withDefault(oneOf('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'), 'ALLOW'),
      rules: withDefault(list(rule, { max: 512 }), []),
    },
    { provider: unsupported('external authorization is not supported yet') },
  ),
  (written, path, issues) => {
    const target = policyTarget(written, path, issues)
    if (written.action === 'CUSTOM')
      issues.push({
        path: `${path}.action`,
        message: 'CUSTOM (external authorization) is not supported yet; use ALLOW, DENY or AUDIT',
      })
    if (written.action === 'CUSTOM' || target === invalid) return invalid
    return { target, action: written.action, rules: written.rules }
  },
)
