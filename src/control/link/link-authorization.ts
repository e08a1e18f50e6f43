import type { AuthorizationRuleSpec } from '../decode/authorization-policy.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { AuthorizationRule } from '../model/model.ts'
import { originOf } from './linked.ts'

/** The rules of a policy as the model has them, with the principals of this mesh under its own name. */
export function linkAuthorization(
  policy: ResourceOf<'AuthorizationPolicy'>,
  trustDomain: string,
): readonly AuthorizationRule[] {
  const key = `${policy.metadata.namespace}/${policy.metadata.name}`
  return policy.spec.rules.map((rule, index): AuthorizationRule => ({
    name: `${key}/rule-${index}`,
    ...inTrustDomain(rule, trustDomain),
    origin: originOf(policy, `spec.rules[${index}]`),
  }))
}

function inTrustDomain({ from, to, when }: AuthorizationRuleSpec, trustDomain: string): AuthorizationRuleSpec {
  const ours = (principals: readonly string[]): readonly string[] =>
    principals.map((one) => one.replace(theMeshItself, `$1${trustDomain}/`))
  return {
    from: from.map((one) => ({
      ...one,
      principals: ours(one.principals),
      notPrincipals: ours(one.notPrincipals),
    })),
    to,
    when: when.map((one) =>
      one.key === 'source.principal' ? { ...one, values: ours(one.values), notValues: ours(one.notValues) } : one,
    ),
  }
}

/** In a policy this is the mesh's own trust domain, whatever it is called. Source: Istio, "Trust Domain Migration". */
const theMeshItself = /^(spiffe:\/\/)?cluster\.local\//
