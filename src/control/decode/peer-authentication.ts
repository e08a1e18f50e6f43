import { invalid, object, oneOf, optional, record, refine, type Decoder } from '../../base/decode.ts'
import { policyTarget, targetFields, type PolicyTarget } from './policy-target.ts'

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

/** Istio PeerAuthentication: what inbound listeners take. UNSET inherits. */
export interface PeerAuthenticationSpec {
  readonly target: PolicyTarget
  readonly mode: MtlsMode
  /** By the program's own port. */
  readonly portModes: ReadonlyMap<number, MtlsMode>
}

const mtls = object<{ readonly mode: MtlsMode }>({ mode: oneOf('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT') })

interface Written {
  readonly selector?: Readonly<Record<string, string>>
  readonly targetRefs?: readonly string[]
  readonly mtls?: { readonly mode: MtlsMode }
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode: MtlsMode }>>
}

export const peerAuthenticationSpec: Decoder<PeerAuthenticationSpec> = refine(
  object<Written>({ ...targetFields, mtls: optional(mtls), portLevelMtls: optional(record(mtls)) }),
  (written, path, issues) => {
    const target = policyTarget(written, path, issues)
    const ports = Object.entries(written.portLevelMtls ?? {})
    const odd = ports.find(([port]) => !/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535)
    if (odd !== undefined)
      issues.push({
        path: `${path}.portLevelMtls`,
        message: `expected ports from 1 to 65535 as keys, got ${JSON.stringify(odd[0])}`,
      })
    const untargeted =
      ports.length > 0 &&
      target !== invalid &&
      target.services.length === 0 &&
      Object.keys(target.matchLabels).length === 0
    if (untargeted)
      issues.push({
        path: `${path}.portLevelMtls`,
        message: 'needs a selector or targetRefs: port numbers mean something only for chosen workloads',
      })
    if (target === invalid || odd !== undefined || untargeted) return invalid
    return {
      target,
      mode: written.mtls?.mode ?? 'UNSET',
      portModes: new Map(ports.map(([port, { mode }]) => [Number(port), mode])),
    }
  },
)
