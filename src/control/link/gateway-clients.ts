import type { Problem } from '../../base/problem.ts'
import type { ListenerSpec } from '../decode/gateway.ts'
import type { Resource, ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { ClientValidation } from '../model/model.ts'
import { findAuthorities } from './authorities.ts'
import { conditionAt, originOf, type Linked } from './linked.ts'

/** `none`: clients need show nothing. `nobody`: there is no authority that could be asked, so nobody may come in. */
export type LinkedClients = ClientValidation | 'none' | 'nobody'

const reasons = {
  content: 'InvalidCACertificateRef',
  kind: 'InvalidCACertificateKind',
  'not-permitted': 'RefNotPermitted',
} as const

/**
 * What clients of a listener must show, as its Gateway says it for the listener's port, else for all. What is wrong there stands in the
 * status of the listener (`owner`, `field`). Source: Gateway API, FrontendTLSConfig.
 */
export function listenerClients(
  gateway: ResourceOf<'Gateway'>,
  { protocol, port, tls }: ListenerSpec,
  { owner, field }: { readonly owner: Resource; readonly field: string },
  snapshot: InventorySnapshot,
): Linked<LinkedClients> {
  const { default: wide, perPort = [] } = gateway.spec.tls?.frontend ?? {}
  const decrypts = protocol === 'HTTPS' || (protocol === 'TLS' && tls?.mode === 'Terminate')
  const index = perPort.findIndex((one) => one.port === port)
  const validation = index < 0 ? wide : perPort[index]?.validation
  if (!decrypts || validation === undefined) return { value: 'none', problems: [] }
  const from = `spec.tls.frontend.${index < 0 ? 'default' : `perPort[${index}].tls`}.validation`
  const problems: Problem[] = []
  const tell = (type: string, reason: string, part: string, message: string): void => {
    const of = owner === gateway ? '' : ` of Gateway ${gateway.metadata.namespace}/${gateway.metadata.name}`
    problems.push(conditionAt(owner, `${field}.tls`, { type, reason }, `${from}${part}${of}: ${message}`))
  }
  const pems = validation.caCertificateRefs.flatMap((ref, at) => {
    const found = findAuthorities(gateway, ref, snapshot)
    if ('pem' in found) return [found.pem]
    tell('ResolvedRefs', reasons[found.why], `.caCertificateRefs[${at}]${found.part}`, found.message)
    return []
  })
  if (pems.length === 0) {
    tell('Accepted', 'NoValidCACertificate', '.caCertificateRefs', 'nobody vouches for clients, so none may come in')
    return { value: 'nobody', problems }
  }
  const mode = validation.mode === 'AllowValidOnly' ? 'valid-only' : 'insecure-fallback'
  return { value: { trustPem: pems.join(''), mode, origin: originOf(gateway, from) }, problems }
}
