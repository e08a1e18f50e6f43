import {
  invalid,
  list,
  object,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
  type OptionalField,
} from '../../base/decode.ts'
import { labels, subdomain } from './names.ts'

/** Which workloads a security policy is for. Neither given: all of its namespace (of the mesh, in the root namespace). */
export interface PolicyTarget {
  readonly matchLabels: Readonly<Record<string, string>>
  /** Names of Services of the policy's namespace (GEP-713). */
  readonly services: readonly string[]
}

interface WrittenTarget {
  readonly group: string
  readonly kind: string
  readonly name: string
}

/** `spec.selector` of Istio's security kinds. */
export const selector: Decoder<Readonly<Record<string, string>>> = refine(
  object<{ readonly matchLabels: Readonly<Record<string, string>> }>(
    { matchLabels: withDefault(labels, {}) },
    { matchExpressions: unsupported('only matchLabels is supported, as in Istio') },
  ),
  ({ matchLabels }) => matchLabels,
)

/** `spec.targetRefs`: Services only, for now. */
export const targetRefs: Decoder<readonly string[]> = list(
  refine(
    object<WrittenTarget>(
      { group: withDefault(string(), ''), kind: string(), name: subdomain },
      {
        namespace: unsupported('a policy targets Services of its own namespace only; remove this'),
        sectionName: unsupported('sectionName is not supported yet'),
      },
    ),
    ({ group, kind, name }, path, issues) => {
      if (kind === 'Service' && (group === '' || group === 'core')) return name
      issues.push({
        path: `${path}.kind`,
        message: `only Service (group "") is supported yet, got ${JSON.stringify(kind)}`,
      })
      return invalid
    },
  ),
  { min: 1, max: 16 },
)

/** Reads both into one; both at once is refused, as in Istio. */
export function policyTarget(
  written: { readonly selector?: Readonly<Record<string, string>>; readonly targetRefs?: readonly string[] },
  path: string,
  issues: { path: string; message: string }[],
): PolicyTarget | typeof invalid {
  if (written.selector !== undefined && written.targetRefs !== undefined) {
    issues.push({ path: `${path}.targetRefs`, message: 'give selector or targetRefs, not both' })
    return invalid
  }
  return { matchLabels: written.selector ?? {}, services: written.targetRefs ?? [] }
}

/** The two fields, for the objects that have them. */
export const targetFields: {
  readonly selector: OptionalField<Readonly<Record<string, string>>>
  readonly targetRefs: OptionalField<readonly string[]>
} = { selector: optional(selector), targetRefs: optional(targetRefs) }
