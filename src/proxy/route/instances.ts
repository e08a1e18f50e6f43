import type { NamedService } from '../config.ts'

/** The instances of a headless service that have addresses now, by name. */
export type InstanceFinder = (service: Pick<NamedService, 'namespace' | 'name'>) => readonly NamedService[]

/** Entries called `<instance>.<service>` are instances. Looks through the names when it is first asked. */
export function instanceFinder(names: ReadonlyMap<string, NamedService>): InstanceFinder {
  let byService: ReadonlyMap<string, readonly NamedService[]> | undefined
  return ({ namespace, name }) => {
    byService ??= Map.groupBy(
      Array.from(names.values()).filter((one) => one.virtualIp !== undefined && one.name.includes('.')),
      (one) => `${one.namespace}/${one.name.slice(one.name.indexOf('.') + 1)}`,
    )
    return byService.get(`${namespace}/${name}`) ?? []
  }
}
