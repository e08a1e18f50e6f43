import { invalid, object, optional, refine, string, withDefault, type Decoder, type Issue } from '../../base/decode.ts'
import { label, portNumber, subdomain } from './names.ts'

/** One port of a Service; without a namespace that of the route. */
export interface ServicePortRef {
  readonly namespace?: string
  readonly name: string
  readonly port: number
}

/** Gateways come later; Services are of the core group. */
export function serviceOnly(
  written: { readonly group: string; readonly kind: string },
  path: string,
  issues: Issue[],
): boolean {
  if (written.kind !== 'Service') {
    issues.push({
      path: `${path}.kind`,
      message: `only Service (group "") is supported yet, got ${JSON.stringify(written.kind)}; write kind: Service and group: ""`,
    })
  } else if (written.group !== '' && written.group !== 'core') {
    issues.push({ path: `${path}.group`, message: `a Service is of group "", got ${JSON.stringify(written.group)}` })
  } else return true
  return false
}

interface Written extends ServicePortRef {
  readonly group: string
  readonly kind: string
}
/** Gateway API BackendObjectReference. */
export const servicePortRef: Decoder<ServicePortRef> = refine(
  object<Written>({
    group: withDefault(string(), ''),
    kind: withDefault(string(), 'Service'),
    namespace: optional(label),
    name: subdomain,
    port: portNumber,
  }),
  ({ group, kind, ...ref }, path, issues) => (serviceOnly({ group, kind }, path, issues) ? ref : invalid),
)
