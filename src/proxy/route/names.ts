import type { NamedService } from '../config.ts'

/** The cluster and route name `<namespace>/<service>/<port>` for a host that a program asked for; undefined: not of the mesh. */
export type NameIndex = (host: string, port: number, ownNamespace: string) => string | undefined

/**
 * Finds services by the names that programs use: `web` (in the asker's namespace), `web.shop`, `web.shop.svc` and
 * `web.shop.svc.cluster.local`; any case, one trailing dot allowed. The port must be one of the service's.
 */
export function nameIndex(names: ReadonlyMap<string, NamedService>): NameIndex {
  return (host, port, ownNamespace) => {
    const key = serviceKey(host.toLowerCase(), ownNamespace)
    const service = key === undefined ? undefined : names.get(key)
    if (service === undefined) return undefined
    for (const one of service.ports) if (one.port === port) return `${key}/${port}`
    return undefined
  }
}

/** The service of the mesh that a host names, whatever the port; undefined: none. For the caller who named a port that it lacks. */
export function serviceOfHost(
  names: ReadonlyMap<string, NamedService>,
  host: string,
  ownNamespace: string,
): NamedService | undefined {
  const key = serviceKey(host.toLowerCase(), ownNamespace)
  return key === undefined ? undefined : names.get(key)
}

/** `<namespace>/<service>` or undefined. Neither name contains a dot (RFC 1123 labels). */
function serviceKey(written: string, ownNamespace: string): string | undefined {
  const host = written.endsWith('.') ? written.slice(0, -1) : written
  const dot = host.indexOf('.')
  if (dot < 0) return host === '' ? undefined : `${ownNamespace}/${host}`
  const name = host.slice(0, dot)
  let rest = host.slice(dot + 1)
  if (rest.endsWith(clusterSuffix)) rest = rest.slice(0, -clusterSuffix.length)
  else if (rest.endsWith('.svc')) rest = rest.slice(0, -'.svc'.length)
  return name === '' || rest === '' || rest.includes('.') ? undefined : `${rest}/${name}`
}

const clusterSuffix = '.svc.cluster.local'
