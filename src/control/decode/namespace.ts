import { anything, object, optional, type Decoder } from '../../base/decode.ts'

/** Says only that it exists; `finalizers` of Kubernetes are taken and mean nothing here. */
export interface NamespaceSpec {
  readonly finalizers?: unknown
}

export const namespaceSpec: Decoder<NamespaceSpec> = object<NamespaceSpec>({ finalizers: optional(anything) })
