/** `metadata` as Kubernetes has it; what the store sets is present on every stored resource. */
export interface Metadata {
  readonly name: string
  /** "" for kinds without a namespace. */
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The store's revision at the last write; "0" for resources from files. */
  readonly resourceVersion: string
  /** Counts the changes of `spec`, from 1; absent for resources from files. Source: Kubernetes, ObjectMeta. */
  readonly generation?: number
  /** ISO 8601; age decides conflicts between routes. */
  readonly creationTimestamp: string
}

/** A document as it was written, known to be an object with `apiVersion`, `kind` and `metadata.name`; the rest unchecked. */
export interface Document {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Partial<Metadata> & { readonly name: string }
  readonly spec?: unknown
  readonly [other: string]: unknown
}

/** What identifies a resource, everywhere: a kind lives in one API group only. */
export interface ResourceKey {
  readonly kind: string
  /** "" for kinds without a namespace. */
  readonly namespace: string
  readonly name: string
}

/** "HTTPRoute default/reviews", "Namespace prod". How people see a key in every message. */
export const formatKey = ({ kind, namespace, name }: ResourceKey): string =>
  namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`

/** What identifies a document; "" is the namespace of one that says none. */
export const keyOf = ({ kind, metadata }: Document): ResourceKey => ({
  kind,
  namespace: metadata.namespace ?? '',
  name: metadata.name,
})

/** A key as one string, for maps: the parts cannot hold a slash. */
export const keyText = ({ kind, namespace, name }: ResourceKey): string => `${kind}/${namespace}/${name}`
