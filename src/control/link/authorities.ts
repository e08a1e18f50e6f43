import { pemCertificates } from '../../base/pem-certificates.ts'
import type { ObjectRef } from '../decode/object-ref.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import { keyText } from '../decode/resource.ts'
import type { Resource, ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { isGranted } from './reference-grants.ts'

/** Why a reference to certificate authorities cannot be used. */
export interface UnusableAuthority {
  readonly why: 'kind' | 'not-permitted' | 'content'
  /** ".name". */
  readonly part: string
  readonly message: string
}

/** The certificates (PEM) under `ca.crt` of a ConfigMap or Secret. Source: Gateway API, `caCertificateRefs`. */
export function findAuthorities(
  owner: Resource,
  ref: ObjectRef,
  snapshot: InventorySnapshot,
): { readonly pem: string } | UnusableAuthority {
  const { group, kind, name, namespace = owner.metadata.namespace } = ref
  if ((kind !== 'ConfigMap' && kind !== 'Secret') || (group !== '' && group !== 'core')) {
    const got = `${JSON.stringify(kind)} of group ${JSON.stringify(group)}`
    return { why: 'kind', part: '.kind', message: `authorities stand in a ConfigMap (group ""), got ${got}` }
  }
  const from = { group: gatewayGroup, kind: owner.kind, namespace: owner.metadata.namespace }
  if (!isGranted(from, { group: '', kind, namespace, name }, snapshot)) {
    const message = `no ReferenceGrant in ${namespace} lets ${owner.kind}s of ${from.namespace} refer to ${kind} ${namespace}/${name}; write one there, or move the ${kind}`
    return { why: 'not-permitted', part: '.namespace', message }
  }
  const resource = snapshot.entries.get(keyText({ kind, namespace, name }))?.resource
  if (resource?.kind !== 'ConfigMap' && resource?.kind !== 'Secret')
    return { why: 'content', part: '.name', message: `there is no ${kind} ${namespace}/${name}` }
  const found = authoritiesIn(resource)
  if (typeof found !== 'string') return found
  return { why: 'content', part: '.name', message: `${kind} ${namespace}/${name} ${found}` }
}

type Holder = ResourceOf<'ConfigMap'> | ResourceOf<'Secret'>

/** Reading certificates takes a millisecond: once for each resource. */
const read = new WeakMap<Holder, { readonly pem: string } | string>()

function authoritiesIn(holder: Holder): { readonly pem: string } | string {
  let known = read.get(holder)
  if (known === undefined) read.set(holder, (known = parse(holder.spec.data['ca.crt'])))
  return known
}

function parse(text: string | undefined): { readonly pem: string } | string {
  if (text === undefined) return 'has no key ca.crt'
  const found = pemCertificates(text)
  if ('pem' in found) return found
  return found.problem === 'none'
    ? 'holds no certificate in ca.crt (PEM)'
    : `holds a certificate (the ${found.problem}. in ca.crt) that cannot be read`
}
