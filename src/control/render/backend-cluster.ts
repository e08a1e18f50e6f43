import { servicePortName } from '../../xds/names.ts'
import type { Backend } from '../model/model.ts'

/** A cluster of this name never exists: the share of a backend that does not exist. */
export const missingBackendCluster = 'missing-backend'

/** The cluster of a backend, which may not exist. */
export function clusterOf({ service, port }: Pick<Backend, 'service' | 'port'>): string {
  if (service === undefined) return missingBackendCluster
  const [namespace = '', name = ''] = service.split('/')
  return servicePortName(namespace, name, port)
}

/** How a proxy's own calls to a service name it: the cluster's name is no host, and servers refuse what is none. */
export function authorityOf({ service, port }: { readonly service: string; readonly port: number }): string {
  const [namespace = '', name = ''] = service.split('/')
  return `${name}.${namespace}:${port}`
}
