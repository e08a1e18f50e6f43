import type { Authorization, AuthorizationRule } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { CallDetail, Layer, Peer } from '../http/service.ts'
import { compileCondition, type Question, type Subject } from './condition.ts'

/** What a refusal and the counts need beside the rules. */
export interface AuthorizeParts {
  /** Whom the rules protect: "default/catalog". */
  readonly workload: string
  /** Told of every rule that matched (`rule` undefined: no ALLOW rule did), for metrics. */
  readonly matched?: ((action: Authorization['action'], rule: AuthorizationRule | undefined) => void) | undefined
}

/** Refuses a call that the rules do not let through, with fault `denied`. LOG rules refuse nothing. */
export function authorize(rules: Authorization, parts: AuthorizeParts): Layer {
  const decide = compileAuthorization(rules, parts)
  return (next) => (call) => {
    const refusal = decide(call, call.trace.detail)
    return refusal === undefined ? next(call) : Promise.resolve(refusal)
  }
}

/** The same for a raw connection, asked once: conditions about HTTP are undecidable there. */
export function authorizeConnection(rules: Authorization, parts: AuthorizeParts): (peer: Peer) => Fault | undefined {
  const decide = compileAuthorization(rules, parts)
  return (peer) => decide({ peer })
}

interface CompiledRule {
  readonly rule: AuthorizationRule
  readonly permission: Question
  readonly principal: Question
}

/**
 * The decision as a pure function (but for `parts.matched`): undefined lets through. ALLOW needs one rule that matches for sure;
 * DENY is met by one that cannot be ruled out. `detail`: where it is noted, if somebody wants to know everything.
 */
export function compileAuthorization(
  { action, policies }: Authorization,
  { workload, matched }: AuthorizeParts,
): (subject: Subject, detail?: CallDetail) => Fault | undefined {
  const rules = policies.map((rule): CompiledRule => ({
    rule,
    permission: compileCondition(rule.permission),
    principal: compileCondition(rule.principal),
  }))
  const allowNames = listNames(policies)
  return (subject, detail) => {
    const found = rules.find((rule) => holds(rule, subject, action !== 'allow'))?.rule
    if (found !== undefined || action === 'allow') matched?.(action, found)
    const isAllowed = action === 'log' || (action === 'allow') === (found !== undefined)
    if (detail?.nowMs !== undefined && action !== 'log')
      detail.authorized = { result: isAllowed ? 'allowed' : 'denied', policy: found?.name }
    if (isAllowed) return undefined
    return {
      kind: 'denied',
      side: 'self',
      retry: 'never',
      principal: subject.peer.principal,
      policy: found?.name ?? allowNames,
      ...(found === undefined && { unmatched: true }),
      reason: found === undefined ? `no ALLOW policy of ${workload} matches` : `a DENY policy of ${workload} matches`,
    }
  }
}

function holds({ permission, principal }: CompiledRule, subject: Subject, whenUnknown: boolean): boolean {
  const allowed = permission(subject)
  if (allowed === 'no' || (allowed === 'unknown' && !whenUnknown)) return false
  const known = principal(subject)
  return known === 'yes' || (known === 'unknown' && whenUnknown)
}

/** Enough names to find the policies by. */
function listNames(policies: readonly AuthorizationRule[]): string {
  if (policies.length === 0) return 'there is none'
  const shown = policies.slice(0, 3).map(({ name }) => name)
  return shown.join(', ') + (policies.length > 3 ? ` and ${policies.length - 3} more` : '')
}
