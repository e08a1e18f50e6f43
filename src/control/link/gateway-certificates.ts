import { keyPairProblem } from '../../base/key-pair.ts'
import type { Problem } from '../../base/problem.ts'
import type { ListenerSpec } from '../decode/gateway.ts'
import type { ObjectRef } from '../decode/object-ref.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import { keyText } from '../decode/resource.ts'
import type { Resource, ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { Certificate } from '../model/model.ts'
import { conditionAt, originOf, type Linked } from './linked.ts'
import { isGranted } from './reference-grants.ts'

type Secret = ResourceOf<'Secret'>

/** `<namespace>/<name>` of the Secrets with the certificates of a listener; those that cannot be used are a problem and left out. */
export function listenerCertificates(
  owner: Resource,
  { tls }: ListenerSpec,
  field: string,
  snapshot: InventorySnapshot,
): Linked<readonly string[]> {
  const problems: Problem[] = []
  const value = (tls?.certificateRefs ?? []).flatMap((ref, index) => {
    const at = `${field}.tls.certificateRefs[${index}]`
    const found = findCertificate(owner, ref, snapshot)
    if ('name' in found) return [found.name]
    const condition = { type: 'ResolvedRefs', reason: found.reason }
    problems.push(conditionAt(owner, `${at}${found.part}`, condition, found.message))
    return []
  })
  return { value, problems }
}

/** `<namespace>/<name>` of the Secret with which a Gateway proves itself to backends; undefined: it has none that can be used. */
export function clientCertificate(
  gateway: ResourceOf<'Gateway'>,
  snapshot: InventorySnapshot,
): Linked<string | undefined> {
  const ref = gateway.spec.tls?.clientCertificate
  if (ref === undefined) return { value: undefined, problems: [] }
  const found = findCertificate(gateway, ref, snapshot)
  if ('name' in found) return { value: found.name, problems: [] }
  const reason = found.reason === 'RefNotPermitted' ? found.reason : 'InvalidClientCertificateRef'
  const field = `spec.tls.backend.clientCertificateRef${found.part}`
  const message = `${found.message}; backends that ask for a certificate refuse this Gateway`
  return { value: undefined, problems: [conditionAt(gateway, field, { type: 'ResolvedRefs', reason }, message)] }
}

interface Unusable {
  readonly reason: 'InvalidCertificateRef' | 'RefNotPermitted'
  /** ".name". */
  readonly part: string
  readonly message: string
}

function findCertificate(
  owner: Resource,
  ref: ObjectRef,
  snapshot: InventorySnapshot,
): { readonly name: string } | Unusable {
  const { group, kind, name, namespace = owner.metadata.namespace } = ref
  const unusable = (part: string, message: string): Unusable => ({ reason: 'InvalidCertificateRef', part, message })
  if (kind !== 'Secret' || (group !== '' && group !== 'core')) {
    const what = `${JSON.stringify(kind)} of group ${JSON.stringify(group)}`
    return unusable('.kind', `a certificate is a Secret (group ""), got ${what}`)
  }
  const from = { group: gatewayGroup, kind: owner.kind, namespace: owner.metadata.namespace }
  if (!isGranted(from, { group: '', kind: 'Secret', namespace, name }, snapshot)) {
    return {
      reason: 'RefNotPermitted',
      part: '.namespace',
      message: `no ReferenceGrant in ${namespace} lets ${owner.kind}s of ${from.namespace} refer to Secret ${namespace}/${name}; write one there, or move the Secret`,
    }
  }
  const secret = snapshot.entries.get(keyText({ kind: 'Secret', namespace, name }))?.resource
  if (secret?.kind !== 'Secret') return unusable('.name', `there is no Secret ${namespace}/${name}`)
  const wrong = readSecret(secret)
  return typeof wrong === 'string'
    ? unusable('.name', `Secret ${namespace}/${name} ${wrong}`)
    : { name: `${namespace}/${name}` }
}

/** Reading a certificate and its key takes a millisecond: once for each Secret. */
const read = new WeakMap<Secret, Certificate | string>()

/** The certificate in a Secret, or what is wrong with it ("holds no …"). */
export function readSecret(secret: Secret): Certificate | string {
  let known = read.get(secret)
  if (known === undefined) read.set(secret, (known = parse(secret)))
  return known
}

function parse(secret: Secret): Certificate | string {
  const { data, type } = secret.spec
  const { 'tls.crt': chainPem, 'tls.key': keyPem } = data
  if (chainPem === undefined || keyPem === undefined)
    return `is of type ${type} and holds no tls.crt and tls.key (kubernetes.io/tls)`
  const problem = keyPairProblem(chainPem, keyPem)
  if (problem !== undefined) return sentences[problem]
  return { chainPem, keyPem, origin: originOf(secret, 'data') }
}

const sentences = {
  'no-certificate': 'holds no certificate in tls.crt (PEM)',
  'no-key': 'holds no private key in tls.key (PEM, without a passphrase)',
  'not-its-key': 'holds a tls.key that is not the one of its tls.crt',
} as const
