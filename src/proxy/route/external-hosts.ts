import type { NamedService } from '../config.ts'

/** The service outside of the mesh that a host belongs to: by its exact name, else by the longest "*.suffix". */
export function externalHosts(names: Iterable<NamedService>): (host: string) => NamedService | undefined {
  const exact = new Map<string, NamedService>()
  const suffixes = new Map<string, NamedService>()
  for (const service of names)
    for (const host of service.hosts ?? []) {
      if (host.startsWith('*.')) suffixes.set(host.slice(1), service)
      else exact.set(host, service)
    }
  if (exact.size + suffixes.size === 0) return () => undefined
  return (host) => {
    const found = exact.get(host)
    if (found !== undefined || suffixes.size === 0) return found
    for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1)) {
      const service = suffixes.get(host.slice(dot))
      if (service !== undefined) return service
    }
    return undefined
  }
}
