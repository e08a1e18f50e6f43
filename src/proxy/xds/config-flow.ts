import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { settable, type Watchable } from '../../base/watchable.ts'
import type { AdsClient, AdsSource, Reception } from '../../xds/ads-client.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { Place, ProxyConfig } from '../config.ts'
import { createDemands } from './demands.ts'
import { createLingering } from './lingering.ts'
import { clustersOfTable, needsOfListener, secretsOfCluster } from './needs.ts'
import { createResources, type GivenResources } from './resources.ts'
import { isSdsSecret } from './sds-secret.ts'
import type { SecretSources } from './secret-sources.ts'
import { createWarming } from './warm.ts'

/** The proxy's configuration as it comes from a control plane, and keeps coming. */
export interface ConfigFlow {
  /** Empty until the first listener is ready. Whatever fails, the last good stays. */
  readonly config: Watchable<ProxyConfig>
  /**
   * Asks for a service port that a program wants to call (`<namespace>/<service>/<port>`) and keeps it while it is used. True once it can be
   * called; false when it does not exist or did not come within 5 s.
   */
  demand(routeName: string): Promise<boolean>
  /** Names that were demanded and exist, as far as is known. */
  demanded(): readonly string[]
  /**
   * Gives up service ports that were not called for ten minutes. `used`: what was called since the last time; `isBusy`: whether anything
   * is under way to one of these clusters.
   */
  forgetUnused(used: ReadonlySet<string>, isBusy: (clusters: readonly string[]) => boolean): void
  /** At least one listener, all listeners and the name table are in force. */
  readonly ready: Promise<void>
  /** A new connection (the identity has changed). */
  renew(): void
  close(): void
  /** For people: connection, refused parts, what is waiting. Plain JSON. */
  state(): unknown
}

/** What a control plane that is not Weft's is asked for as a whole; what else is needed is asked for by name. */
export interface Foreign {
  readonly listeners: boolean
  readonly clusters: boolean
}

/** Asks at once. */
export function createConfigFlow(parts: {
  source: AdsSource
  /** What the proxy was started with. */
  given?: GivenResources
  /** Absent: Weft's own, which knows names and gives clusters one by one. */
  foreign?: Foreign
  /** Secrets that come from other servers; `changed` is to be told. Absent: there are none. */
  secretSources?: (changed: () => void) => SecretSources
  clock: Clock
  log: Log
  place?: Place | undefined
  /** Service ports to ask for from the start. */
  used?: readonly string[]
}): ConfigFlow {
  const { clock, foreign, log } = parts
  const resources = createResources(parts.given)
  const sources = parts.secretSources?.(() => advance())
  const warming = createWarming(resources, { ...parts, secrets: sources?.secrets })
  const config = settable(warming.config())
  const ready = Promise.withResolvers<void>()
  const demands = createDemands({ resources, warming, clock, gaveUp: () => advance() })
  demands.expect(parts.used ?? [])
  const lingering = createLingering(clock)
  let awaited: { readonly type: XdsType; readonly names: readonly string[]; readonly inForce: () => void }[] = []
  let limit: { readonly atMs: number; readonly timer: Timer } | undefined
  let wanted = new Map<XdsType, ReadonlySet<string>>()
  /** Of other servers. */
  let wantedSecrets: ReadonlySet<string> = new Set()

  const client: AdsClient = parts.source({ versions: (type) => resources.versions(type), receive })

  function receive(type: XdsType, response: Parameters<typeof resources.apply>[1]): Reception {
    const asked = wanted.get(type)
    const { problems, accepted, leftOut } = resources.apply(type, response, asked?.has('*') ? undefined : asked)
    if (leftOut.length > 0)
      log.warn('this version does not know a part of the configuration, and serves without it', {
        type,
        leftOut: leftOut.join('; '),
      })
    advance()
    const names = accepted.filter((name) => isWaiting(type, name))
    if (names.length === 0) return { problems, accepted }
    const inForce = new Promise<readonly string[]>((resolve) => {
      awaited.push({ type, names, inForce: () => resolve([]) })
    })
    return { problems, accepted, inForce }
  }

  function isWaiting(type: XdsType, name: string): boolean {
    if (type === 'LDS') return warming.waitingListeners().has(name)
    return type === 'RDS' && warming.waitingTables().has(name)
  }

  /** From what is held to what is in force, and to what must be asked for; until neither changes the other. */
  function advance(): void {
    do {
      warming.settle()
      wanted = needs()
    } while (forgetUnneeded() || demands.answer())
    config.set(warming.config())
    for (const [type, names] of wanted) client.subscribe(type, names)
    sources?.want(wantedSecrets)
    const done = awaited.filter(({ type, names }) => !names.some((name) => isWaiting(type, name)))
    awaited = awaited.filter((one) => !done.includes(one))
    for (const { inForce } of done) inForce()
    const { listeners } = config.value
    const known = foreign === undefined ? resources.seen('NDS') : !foreign.listeners || resources.seen('LDS')
    if (listeners.size > 0 && listeners.size === resources.held('LDS').size && known) ready.resolve()
    setLimit(warming.nextLimitMs())
  }

  function forgetUnneeded(): boolean {
    let forgot = false
    for (const [type, names] of wanted) if (!names.has('*') && resources.retain(type, names)) forgot = true
    return forgot
  }

  function needs(): Map<XdsType, ReadonlySet<string>> {
    const tables = new Set<string>(demands.tables())
    const clusters = new Set<string>(demands.clusters())
    const assignments = new Set<string>()
    const secrets = new Set<string>()
    const { listeners, routes } = warming.config()
    for (const listener of [...listeners.values(), ...warming.waitingListeners().values()]) {
      const named = needsOfListener(listener)
      for (const name of named.tables) tables.add(name)
      for (const name of named.clusters) clusters.add(name)
      for (const name of named.secrets) secrets.add(name)
    }
    const named = new Map<string, Set<string>>()
    for (const table of [...routes.values(), ...warming.waitingTables().values()]) {
      if (!tables.has(table.name)) continue
      const those = named.get(table.name) ?? new Set()
      named.set(table.name, those)
      for (const name of clustersOfTable(table)) {
        those.add(name)
        clusters.add(name)
      }
    }
    for (const name of lingering.besides(named)) if (resources.held('CDS').has(name)) clusters.add(name)
    for (const name of foreign?.clusters === true ? resources.held('CDS').keys() : clusters) {
      const shape = resources.held('CDS').get(name)
      // In our mesh a cluster has endpoints of its own name, as a rule: asked for in the same breath.
      if (shape === undefined && foreign === undefined) assignments.add(name)
      // The loop comes to these too.
      for (const member of shape?.members ?? []) clusters.add(member)
      if (shape?.edsName !== undefined) assignments.add(shape.edsName)
      if (shape !== undefined) for (const secret of secretsOfCluster(shape)) secrets.add(secret)
    }
    wantedSecrets = new Set([...secrets].filter(isSdsSecret))
    return new Map<XdsType, ReadonlySet<string>>([
      ['LDS', foreign?.listeners === false ? nothing : everything],
      ['NDS', foreign === undefined ? everything : nothing],
      ['RDS', tables],
      ['CDS', foreign === undefined ? clusters : foreign.clusters ? everything : nothing],
      ['EDS', assignments],
      ['SDS', new Set([...secrets].filter((name) => !isSdsSecret(name)))],
    ])
  }

  function setLimit(atMs: number | undefined): void {
    if (limit?.atMs === atMs) return
    limit?.timer.cancel()
    limit =
      atMs === undefined
        ? undefined
        : { atMs, timer: clock.after(Math.max(1, atMs - clock.nowMs()), limitReached, { background: true }) }
  }
  function limitReached(): void {
    limit = undefined
    advance()
  }

  advance()
  return {
    config,
    demand(routeName) {
      const answer = demands.add(routeName)
      advance()
      return answer
    },
    demanded: () => [...new Set([...demands.tables(), ...demands.clusters()])],
    forgetUnused(used, isBusy) {
      const { routes } = warming.config()
      const clustersOf = (name: string): readonly string[] => {
        const table = routes.get(name)
        return table === undefined ? [name] : clustersOfTable(table)
      }
      const gaveUp = demands.forget(used, (name) => isBusy(clustersOf(name)))
      if (gaveUp || lingering.isOver) advance()
    },
    ready: ready.promise,
    renew: () => client.renew(),
    close() {
      client.close()
      sources?.close()
      demands.close()
      setLimit(undefined)
    },
    state: () => ({
      controlPlane: client.state(),
      waiting: {
        routes: [...warming.waitingTables().keys()],
        listeners: [...warming.waitingListeners().keys()],
      },
      demanded: [...demands.tables(), ...demands.clusters()],
      leftOut: resources.leftOut(),
      ...(sources && { secrets: sources.state() }),
    }),
  }
}

const everything: ReadonlySet<string> = new Set(['*'])
const nothing: ReadonlySet<string> = new Set()
