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
