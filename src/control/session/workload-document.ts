import { createHash } from 'node:crypto'
import { isUdp } from '../../base/app-protocol.ts'
import type { Document } from '../decode/resource.ts'
import type { JoinWish } from './join-request.ts'

/** Annotation that ties a Workload to the run of the agent that registered it; a Workload without it is nobody's lease. */
export const instanceAnnotation = 'weft.dev/instance'
const adminAnnotation = 'weft.dev/admin'
const versionAnnotation = 'weft.dev/version'

/**
 * `<service>-<5 of [a-z0-9]>`, the same for the same instance, so that joining again replaces, also after a removal. `attempt` gives
 * another one when the first belongs to somebody else.
 */
export function workloadName(service: string, instance: string, attempt: number): string {
  const digest = createHash('sha256').update(`${instance}/${attempt}`).digest()
  const suffix = (digest.readBigUInt64BE() % 36n ** 5n).toString(36).padStart(5, '0')
  return `${service.slice(0, 57).replace(/[-.]+$/, '')}-${suffix}`
}

/** The resource that stands for a registered instance. */
export function workloadDocument(name: string, wish: JoinWish): Document {
  const {
    namespace,
    labels,
    instance,
    service,
    serviceAccount,
    ports,
    outbound,
    capture,
    proxy,
    adminAddress,
    version,
    locality,
    workers,
    gateway,
  } = wish
  const annotations = {
    [instanceAnnotation]: instance,
    ...(adminAddress === '' ? {} : { [adminAnnotation]: adminAddress }),
    ...(version === '' ? {} : { [versionAnnotation]: version }),
  }
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name, namespace, labels, annotations },
    spec: {
      service,
      serviceAccount,
      ...(ports[0] === undefined ? {} : { address: ports[0].inbound.host }),
      ports: ports.map(({ protocol, inbound, ...port }) => ({
        ...port,
        ...(protocol === undefined ? {} : { protocol }),
        // Datagrams go to the program itself.
        ...(isUdp(protocol) ? {} : { inbound: { address: inbound.host, port: inbound.port } }),
      })),
      ...(outbound === undefined ? {} : { outbound: { address: outbound.host, port: outbound.port } }),
      ...(capture === undefined ? {} : { capture }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(locality === undefined ? {} : { locality }),
      ...(workers === 1 ? {} : { workers }),
      ...(gateway && { gateway: { name: service, ...gateway } }),
    },
  }
}
