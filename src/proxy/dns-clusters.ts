import { isIP } from 'node:net'
import { formatAddress } from '../base/address.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import type { Cluster, DnsRules, Endpoint, ProxyConfig } from './config.ts'

/** All addresses of a name, in the order of the host's resolver; rejects when there are none. */
export type Lookup = (name: string) => Promise<readonly string[]>

/** A configuration in which endpoints have addresses. */
export interface Resolved {
  readonly config: Watchable<ProxyConfig>
  /** Asks for no name any more. */
  close(): void
}

/** What names are asked for with. */
export interface NameParts {
  readonly lookup: Lookup
  /** How long what is known of a name holds, ms; 0: nobody says. Never rejects. */
  readonly ttlMs: (name: string) => Promise<number>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Follows `source` and the addresses of the names in it. A configuration with new names is given on once each has been asked for
 * once; one that was not found has no endpoints until it is. What is found later takes the place of what was, and a name that cannot
 * be asked for keeps its last addresses. Source: Envoy, "Service discovery", strict and logical DNS.
 */
export function resolveNames(source: Watchable<ProxyConfig>, parts: NameParts): Resolved {
  const names = new Map<string, Name>()
  const builds = new WeakMap<Cluster, { readonly from: string; readonly cluster: Cluster }>()
  const follow = (next: ProxyConfig): void => {
    const wanted = new Set<string>()
    for (const { dns, endpoints } of next.clusters.values()) {
      if (dns === undefined) continue
      for (const { address } of endpoints) {
        if (isIP(address.host) !== 0) continue
        const key = keyOf(address.host, dns)
        wanted.add(key)
        if (!names.has(key)) names.set(key, watchName(address.host, dns, { ...parts, changed: publish }))
      }
    }
    for (const [key, name] of names) {
      if (wanted.has(key)) continue
      name.close()
      names.delete(key)
    }
    publish()
  }
  const publish = (): void => {
    for (const name of names.values()) if (!name.asked) return
    resolved.set(withAddresses(source.value))
  }
  const withAddresses = (config: ProxyConfig): ProxyConfig => {
    let changed: Map<string, Cluster> | undefined
    for (const [name, cluster] of config.clusters) {
      if (cluster.dns !== undefined) (changed ??= new Map(config.clusters)).set(name, build(cluster, cluster.dns))
    }
    return changed === undefined ? config : { ...config, clusters: changed }
  }
  /** The same object for the same addresses. */
  const build = (cluster: Cluster, dns: DnsRules): Cluster => {
    const endpoints = cluster.endpoints.flatMap((one) => expanded(one, dns))
    const from = endpoints
      .flatMap(({ address, moreAddresses = [] }) => [address, ...moreAddresses])
      .map(formatAddress)
      .join()
    const before = builds.get(cluster)
    if (before?.from === from) return before.cluster
    const built = { ...cluster, endpoints }
    builds.set(cluster, { from, cluster: built })
    return built
  }
  const expanded = (endpoint: Endpoint, dns: DnsRules): readonly Endpoint[] => {
    const { host, port } = endpoint.address
    if (isIP(host) !== 0) return [endpoint]
    const found = names.get(keyOf(host, dns))?.addresses ?? []
    const addresses = found.map((one) => ({ host: one, port }))
    const named = { hostname: host, ...endpoint }
    if (dns.use === 'all') return addresses.map((address) => ({ ...named, address }))
    const [address, ...moreAddresses] = addresses
    if (address === undefined) return []
    return [{ ...named, address, ...(moreAddresses.length > 0 && { moreAddresses }) }]
  }
  // Nobody calls into the mesh before its names are known: until then there is no listener.
  const resolved = settable<ProxyConfig>({
    ...source.value,
    listeners: new Map(),
    routes: new Map(),
    clusters: new Map(),
  })
  const unwatch = source.watch(follow)
  follow(source.value)
  return {
    config: resolved,
    close() {
      unwatch()
      for (const name of names.values()) name.close()
    },
  }
}

/** A name that is not answered by then does not hold up the others any longer, ms. */
const firstAnswerMs = 5000

const keyOf = (host: string, rules: DnsRules): string => {
  const { use, family, refreshMs, respectTtl, failureMs, mostFailureMs, jitterMs } = rules
  return [host, use, family, refreshMs, respectTtl, failureMs, mostFailureMs, jitterMs].join(' ')
}

/** One name that is asked for again and again. */
interface Name {
  /** At least once, with or without success. */
  readonly asked: boolean
  readonly addresses: readonly string[]
  close(): void
}

function watchName(
  host: string,
  rules: DnsRules,
  { lookup, ttlMs, clock, random, log, changed }: NameParts & { readonly changed: () => void },
): Name {
  let addresses: readonly string[] = []
  let asked = false
  let closed = false
  let failures = 0
  let timer: Timer | undefined
  const took = (found: readonly string[], holdsMs: number): void => {
    const next = chosen(found, rules)
    const same = asked && next.join() === addresses.join()
    failures = 0
    addresses = next
    asked = true
    timer = clock.after((holdsMs || rules.refreshMs) + random.below(rules.jitterMs), ask, { background: true })
    if (!same) changed()
  }
  const failed = (error: unknown): void => {
    if (failures++ === 0) log.warn('a name is not found', { name: host, error: String(error), kept: addresses.length })
    const first = !asked
    asked = true
    const waitMs = Math.min(rules.failureMs * 2 ** Math.min(failures - 1, 20), rules.mostFailureMs)
    timer = clock.after(waitMs, ask, { background: true })
    if (first) changed()
  }
  const ask = (): void => {
    const holdsMs = rules.respectTtl === true ? ttlMs(host) : 0
    Promise.all([lookup(host), holdsMs]).then(
      ([found, forMs]) => closed || took(found, forMs),
      (error: unknown) => closed || failed(error),
    )
  }
  ask()
  const patience = clock.after(
    firstAnswerMs,
    () => {
      if (asked) return
      asked = true
      changed()
    },
    { background: true },
  )
  return {
    get asked() {
      return asked
    },
    get addresses() {
      return addresses
    },
    close() {
      closed = true
      patience.cancel()
      timer?.cancel()
    },
  }
}

/** Source: Cluster.DnsLookupFamily. In order, so that another order of the same addresses is no change, unless the first counts. */
function chosen(found: readonly string[], { use, family }: DnsRules): readonly string[] {
  const of = (version: 4 | 6): readonly string[] => found.filter((one) => isIP(one) === version)
  const [v4, v6] = [of(4), of(6)]
  const wanted = {
    auto: v6.length > 0 ? v6 : v4,
    v4,
    v6,
    'v4-preferred': v4.length > 0 ? v4 : v6,
    all: found,
  }[family]
  const each = [...new Set(wanted)]
  return use === 'first' ? each : each.toSorted()
}
