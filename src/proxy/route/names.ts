import type { NamedService } from '../config.ts'
import { externalHosts } from './external-hosts.ts'

/** The cluster and route name `<namespace>/<service>/<port>` for a host that a program asked for; undefined: not of the mesh. */
export type NameIndex = (host: string, port: number, ownNamespace: string) => string | undefined

/** The service that a host names, whatever the port. */
export type ServiceFinder = (host: string, ownNamespace: string) => NamedService | undefined

/**
 * Finds services by the names that programs use: `web` and `web.mesh` (in the asker's namespace), `web.shop`,
 * `web.shop.svc` and `web.shop.svc.cluster.local`, any case, one trailing dot allowed; by their virtual IPs; and those outside of the
 * mesh by their own hosts, after the names of the mesh. An instance of a headless service has its own name before those.
 */
export function serviceFinder(names: ReadonlyMap<string, NamedService>): ServiceFinder {
  let byAddress: ReadonlyMap<string, NamedService> | undefined
  let external: ReturnType<typeof externalHosts> | undefined
  return (written, ownNamespace) => {
    const host = written.toLowerCase()
    if (isVirtualIp(host)) {
      byAddress ??= new Map(Array.from(names.values(), (one) => [one.virtualIp ?? '', one]))
      return byAddress.get(host)
    }
    for (const key of serviceKeys(host, ownNamespace)) {
      const service = names.get(key)
      if (service !== undefined && service.hosts === undefined) return service
    }
    external ??= externalHosts(names.values())
    return external(host.endsWith('.') ? host.slice(0, -1) : host)
  }
}

/** Asked once: for the caller who named a port that the service lacks. */
export const serviceOfHost = (
  names: ReadonlyMap<string, NamedService>,
  host: string,
  ownNamespace: string,
): NamedService | undefined => serviceFinder(names)(host, ownNamespace)

/** The same for one port, which must be one of the service's. */
export function nameIndex(names: ReadonlyMap<string, NamedService>): NameIndex {
  const find = serviceFinder(names)
  return (host, port, ownNamespace) => {
    const service = find(host, ownNamespace)
    if (service === undefined) return undefined
    for (const one of service.ports) if (one.port === port) return `${service.namespace}/${service.name}/${port}`
    return undefined
  }
}

/** Whether an address is out of the range that the mesh takes virtual IPs from (240.0.0.0/5): no network has it. */
export const isVirtualIp = (host: string): boolean => /^24[0-7](?:\.\d{1,3}){3}$/.test(host)

/** `<namespace>/<service>`, the likeliest first. Neither name contains a dot (RFC 1123 labels). */
function serviceKeys(written: string, ownNamespace: string): readonly string[] {
  const host = written.endsWith('.') ? written.slice(0, -1) : written
  const [name = '', ...rest] = host.split('.')
  if (name === '') return []
  const [service, ...behind] = rest
  const keys = inNamespace(name, rest, ownNamespace)
  // An instance of a headless service has that one's name behind its own.
  return service === undefined ? keys : [...keys, ...inNamespace(`${name}.${service}`, behind, ownNamespace)]
}

/** `name` in the namespace that follows it, or in the asker's. */
function inNamespace(name: string, rest: readonly string[], ownNamespace: string): readonly string[] {
  const [namespace, ...suffix] = rest
  if (namespace === undefined) return [`${ownNamespace}/${name}`]
  if (!suffixes.includes(suffix.join('.'))) return []
  // A namespace may be called "mesh".
  return [`${namespace}/${name}`, ...(namespace === 'mesh' && suffix.length === 0 ? [`${ownNamespace}/${name}`] : [])]
}

const suffixes: readonly string[] = ['', 'svc', 'svc.cluster.local']
