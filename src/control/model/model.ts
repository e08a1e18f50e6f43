import type { Certificate, Gateway } from './gateway.ts'
import type { Origin } from './origin.ts'
import type { LoadBalancing, Service } from './service.ts'
import type { MeshTracing } from './tracing.ts'
import type { Workload } from './workload.ts'
export type { Locality } from '../../base/locality.ts'
export type * from './origin.ts'
export type * from './service.ts'
export type * from './gateway.ts'
export type * from './route.ts'
export type * from './workload.ts'
export type * from './traffic-policy.ts'
export type * from './rate-limit.ts'
export type * from './adaptive-concurrency.ts'
export type * from './authorization.ts'
export type * from './tracing.ts'

/**
 * THE WAIST of the control plane: policy on one side, protocol on the other. Plain read-only data, all references resolved, all
 * defaults and conflicts settled. `link` makes it, `render` reads it; neither sees the other. Imports nothing but `base`.
 */
export interface Model {
  /** Grows with every inventory change; the same inventory gives the same model otherwise. */
  readonly revision: number
  /** Everything that was written to the store up to this revision is in here: the number that people see. */
  readonly storeRevision: number
  readonly trustDomain: string
  /** By `<namespace>/<name>`. */
  readonly services: ReadonlyMap<string, Service>
  /** By `<namespace>/<name>`: every registered instance with a sidecar, ready or not. */
  readonly workloads: ReadonlyMap<string, Workload>
  /** By `<namespace>/<name>`: the Gateways that this mesh serves. */
  readonly gateways: ReadonlyMap<string, Gateway>
  /** By `<namespace>/<name>` of their Secrets: those that gateways use. */
  readonly certificates: ReadonlyMap<string, Certificate>
  /** Addresses of services in the mesh's DNS, by `<namespace>/<name>`; there may be more of them than services. */
  readonly virtualIps: ReadonlyMap<string, string>
  readonly mesh: MeshSettings
}

export interface MeshSettings {
  /** Hosts that are no service of the mesh: forwarded, or refused with 502. */
  readonly outboundTraffic: 'allow-any' | 'registered-only'
  /** Datagrams of captured programs to outside of the mesh. Absent: as `outboundTraffic` says. */
  readonly outboundDatagrams?: 'allow' | 'refuse'
  readonly accessLog: boolean
  readonly loadBalancing: LoadBalancing
  /** Absent: no spans are made. */
  readonly tracing?: MeshTracing
  readonly origin: Origin | undefined
}
