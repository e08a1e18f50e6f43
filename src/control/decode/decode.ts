import {
  decode,
  describe,
  nearest,
  object,
  optional,
  string,
  withDefault,
  anything,
  record,
  type Issue,
  type Decoder,
} from '../../base/decode.ts'
import type { Place, Problem } from '../../base/problem.ts'
import { isKind, kindInfo, specDecoder, unknownKind } from './kinds.ts'
import { label, labels, subdomain } from './names.ts'
import { formatKey, type Metadata } from './resource.ts'
import type { Kind, Resource, ResourceOf } from './resource-types.ts'

/** A good resource, or all that is wrong with the document. */
export type Decoded = { readonly resource: Resource } | { readonly problems: readonly Problem[] }

/** Where a field was written: undefined for the document as a whole. */
export type PlaceOf = (field?: string) => Place

interface WrittenMetadata {
  readonly name: string
  readonly namespace?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly uid?: unknown
  readonly generation?: unknown
  readonly managedFields?: unknown
  readonly finalizers?: unknown
  readonly ownerReferences?: unknown
  readonly selfLink?: unknown
  readonly deletionTimestamp?: unknown
  readonly deletionGracePeriodSeconds?: unknown
}
/** "" is how stored documents say that there is none. */
const namespace: Decoder<string> = (value, path, issues) => (value === '' ? '' : label(value, path, issues))

const metadata = object<WrittenMetadata>({
  name: subdomain,
  namespace: optional(namespace),
  labels: withDefault(labels, {}),
  annotations: withDefault(record(string()), {}),
  resourceVersion: optional(string()),
  creationTimestamp: optional(string()),
  // What Kubernetes writes and we do not read.
  uid: optional(anything),
  generation: optional(anything),
  managedFields: optional(anything),
  finalizers: optional(anything),
  ownerReferences: optional(anything),
  selfLink: optional(anything),
  deletionTimestamp: optional(anything),
  deletionGracePeriodSeconds: optional(anything),
})

const envelope = ['apiVersion', 'kind', 'metadata', 'status']

/**
 * Reads one document. `index` (from 1) names it in messages while it has no name; a resource without a namespace is of "default".
 * Every problem at once, each with the field and, through `placeOf`, the file and line.
 */
export function decodeDocument(
  document: unknown,
  { index = 1, placeOf }: { index?: number; placeOf?: PlaceOf } = {},
): Decoded {
  const issues: Issue[] = []
  const name = nameForPeople(document, index)
  const report = (): Decoded => ({
    problems: issues.map(({ path, message }) => ({
      severity: 'error',
      resource: name,
      field: path,
      message,
      ...(placeOf === undefined ? {} : { place: placeOf(path) }),
    })),
  })
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    issues.push({
      path: '',
      message: `expected a resource (an object with apiVersion, kind, metadata and spec), got ${describe(document)}`,
    })
    return report()
  }
  const written = document as Readonly<Record<string, unknown>>
  const kind = readKind(written, issues)
  const body = kind && kindInfo(kind).body
  const known = [...envelope, ...(body ?? ['spec'])]
  for (const field of Object.keys(written)) {
    if (known.includes(field)) continue
    const near = nearest(field, known)
    issues.push({
      path: field,
      message: near === undefined ? 'unknown field' : `unknown field; did you mean "${near}"?`,
    })
  }
  const meta = decode(metadata, written['metadata'])
  if ('issues' in meta)
    for (const issue of meta.issues)
      issues.push({ ...issue, path: issue.path === '' ? 'metadata' : `metadata.${issue.path}` })
  if (kind === undefined) return report()
  const decoded = decode(specDecoder(kind), body === undefined ? (written['spec'] ?? {}) : pick(written, body))
  if ('issues' in decoded)
    for (const issue of decoded.issues) issues.push(body === undefined ? { ...issue, path: inSpec(issue.path) } : issue)
  if ('value' in meta) checkScope(kind, meta.value, issues)
  if (issues.length > 0 || 'issues' in meta || 'issues' in decoded) return report()
  const resource: ResourceOf<Kind> = {
    apiVersion: String(written['apiVersion']),
    kind,
    metadata: complete(kind, meta.value),
    spec: decoded.value,
    ...(placeOf === undefined ? {} : { placeOf }),
  }
  // The table pairs each kind with its own decoder, which the union cannot see.
  return { resource: resource as Resource }
}

const inSpec = (path: string): string =>
  path === '' ? 'spec' : path.startsWith('spec') ? path : `spec.${path.replace(/^\./, '')}`

const pick = (from: Readonly<Record<string, unknown>>, fields: readonly string[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(fields.filter((field) => from[field] !== undefined).map((field) => [field, from[field]]))

function readKind(written: Readonly<Record<string, unknown>>, issues: Issue[]): Kind | undefined {
  const { kind, apiVersion } = written
  if (typeof kind !== 'string') {
    issues.push({ path: 'kind', message: `expected a kind such as "Service", got ${describe(kind)}` })
    return undefined
  }
  if (!isKind(kind)) {
    issues.push({ path: 'kind', message: unknownKind(kind) })
    return undefined
  }
  const { apiVersions } = kindInfo(kind)
  if (typeof apiVersion !== 'string' || !apiVersions.includes(apiVersion)) {
    issues.push({
      path: 'apiVersion',
      message: `expected ${apiVersions.map((one) => JSON.stringify(one)).join(' or ')} for ${kind}, got ${describe(apiVersion)}`,
    })
  }
  return kind
}

function checkScope(kind: Kind, { namespace, name }: WrittenMetadata, issues: Issue[]): void {
  if (!kindInfo(kind).namespaced && (namespace ?? '') !== '')
    issues.push({ path: 'metadata.namespace', message: `a ${kind} has no namespace; remove this` })
  if (kind === 'MeshConfig' && name !== 'default')
    issues.push({
      path: 'metadata.name',
      message: `there is one MeshConfig, called "default", got ${JSON.stringify(name)}`,
    })
  if (kind === 'Service' || kind === 'ExternalService' || kind === 'Namespace') {
    const found: Issue[] = []
    label(name, 'metadata.name', found)
    issues.push(...found)
  }
}

const complete = (kind: Kind, written: WrittenMetadata): Metadata => ({
  name: written.name,
  namespace: kindInfo(kind).namespaced ? written.namespace || 'default' : '',
  labels: written.labels,
  annotations: written.annotations,
  resourceVersion: written.resourceVersion ?? '0',
  creationTimestamp: written.creationTimestamp ?? '',
})

/** "HTTPRoute default/reviews" as far as it can be told, else "document 3". */
function nameForPeople(document: unknown, index: number): string {
  const { kind, metadata: meta } = Object(document) as { kind?: unknown; metadata?: unknown }
  const { name, namespace } = Object(meta) as { name?: unknown; namespace?: unknown }
  if (typeof kind !== 'string' || typeof name !== 'string' || kind.length > 64 || name.length > 253)
    return `document ${index}`
  const namespaced = !isKind(kind) || kindInfo(kind).namespaced
  return formatKey({ kind, name, namespace: namespaced ? (typeof namespace === 'string' ? namespace : 'default') : '' })
}
