import type { Model, Service } from '../model/model.ts'

/**
 * The names by which programs of a namespace call services, each name only once: where two services could be meant, the one that our own
 * proxies would find (proxy/route/names.ts). Envoy looks nothing up: it has to be told all of them.
 */
export function hostsOfServices(
  { services, virtualIps }: Pick<Model, 'services' | 'virtualIps'>,
  ownNamespace: string,
): ReadonlyMap<Service, readonly string[]> {
  const all = [...services.values()]
  const inside = all.filter((one) => one.external === undefined)
  const [ordinary, instances] = [inside.filter((one) => !isInstance(one)), inside.filter(isInstance)]
  const claims = new Map<string, Service>()
  const claim = (some: readonly Service[], namesOf: (service: Service) => readonly string[]): void => {
    for (const service of some) for (const name of namesOf(service)) if (!claims.has(name)) claims.set(name, service)
  }
  const short = ({ namespace, name }: Service): readonly string[] =>
    namespace === ownNamespace ? [name, `${name}.mesh`] : []
  claim(ordinary, longNames)
  claim(ordinary, short)
  claim(instances, (one) => [...longNames(one), ...short(one)])
  claim(all, ({ namespace, name }) => [virtualIps.get(`${namespace}/${name}`) ?? []].flat())
  claim(all, ({ external }) => external?.hosts ?? [])
  const hosts = new Map<Service, string[]>()
  for (const [name, service] of claims) {
    const own = hosts.get(service)
    if (own === undefined) hosts.set(service, [name])
    else own.push(name)
  }
  return hosts
}

/** Of a headless service: its name is `<instance>.<service>`. */
const isInstance = ({ name }: Service): boolean => name.includes('.')

const longNames = ({ namespace, name }: Service): readonly string[] =>
  ['', '.svc', '.svc.cluster.local'].map((suffix) => `${name}.${namespace}${suffix}`)
