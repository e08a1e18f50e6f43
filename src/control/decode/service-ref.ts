import {
  invalid,
  object,
  optional,
  refine,
  string,
  withDefault,
  type Decoder,
  type DefaultedField,
  type OptionalField,
} from '../../base/decode.ts'
import { label, portNumber, subdomain } from './names.ts'

/** What routes may lead from and to, each with its API group. */
export const destinationGroups = { Service: '', ExternalService: 'weft.dev' } as const
export type DestinationKind = keyof typeof destinationGroups

/** Undefined: it is neither of them. */
export function destinationKind({
  group,
  kind,
}: Pick<BackendObjectRef, 'group' | 'kind'>): DestinationKind | undefined {
  if (kind !== 'Service' && kind !== 'ExternalService') return undefined
  return destinationGroups[kind] === group ? kind : undefined
}

/** One port of a service; without a namespace that of the route. Link says what cannot be a backend. */
export interface BackendObjectRef {
  /** "" is the core group. */
  readonly group: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  /** 0: a resource of another kind, and nothing was said. */
  readonly port: number
}

/** The fields of a BackendObjectReference, for objects that have more. Source: Gateway API. */
export const backendObjectFields: {
  readonly group: DefaultedField<string>
  readonly kind: DefaultedField<string>
  readonly namespace: OptionalField<string>
  readonly name: Decoder<string>
  readonly port: DefaultedField<number>
} = {
  group: withDefault(string(), ''),
  kind: withDefault(string(), 'Service'),
  namespace: optional(label),
  name: subdomain,
  port: withDefault(portNumber, 0),
}

/** A service is nothing without a port. */
export function withPort<T extends BackendObjectRef>(
  written: T,
  path: string,
  issues: { path: string; message: string }[],
): T | typeof invalid {
  const ref = written.group === 'core' ? { ...written, group: '' } : written
  if (destinationKind(ref) === undefined || ref.port !== 0) return ref
  return portNumber(undefined, `${path}.port`, issues) === invalid ? invalid : ref
}

/** Gateway API BackendObjectReference. */
export const backendObjectRef: Decoder<BackendObjectRef> = refine(
  object<BackendObjectRef>(backendObjectFields),
  withPort,
)
