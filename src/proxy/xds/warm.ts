import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Cluster, Listener, Place, ProxyConfig, RouteTable } from '../config.ts'
import { buildCluster } from './build-cluster.ts'
import type { ClusterShape } from './decode-cds.ts'
import type { Assignment } from './decode-eds.ts'
import { clustersOfTable, needsOfListener, secretsOfCluster } from './needs.ts'
import type { Secret } from './decode-sds.ts'
import type { Resources } from './resources.ts'
import { isSdsSecret } from './sds-secret.ts'

/** Longest wait of a new or changed listener or route table for what it names, in ms. */
export const warmLimitMs = 5_000

/**
 * What is in force: a new route table or listener replaces the old one only when every cluster that it names is there with its
 * endpoints and its secrets, in whatever order the server sends. After `warmLimitMs` it is swapped in with what there is, aloud.
 */
export interface Warming {
  /** Brings into force what is ready. Cheap when nothing has changed. */
  settle(): void
  /** The same object until something in force changes. */
  config(): ProxyConfig
  /** Newer than what is in force, and not ready. */
  waitingTables(): ReadonlyMap<string, RouteTable>
  waitingListeners(): ReadonlyMap<string, Listener>
  /** When the next wait ends by itself, by the monotonic clock; undefined: nothing waits. */
  nextLimitMs(): number | undefined
}

interface Waiting<T> {
  readonly value: T
  readonly sinceMs: number
}

interface Built {
  readonly shape: ClusterShape
  readonly assignment: Assignment
  readonly cluster: Cluster
}

/** `resources`, and `secrets` that come besides, are read anew at every `settle`. */
export function createWarming(
  resources: Resources,
  {
    clock,
    log,
    place,
    secrets: others,
  }: {
    clock: Clock
    log: Log
    place?: Place | undefined
    secrets?: (() => ReadonlyMap<string, Secret>) | undefined
  },
): Warming {
  const built = new Map<string, Built>()
  const tables = createGate<RouteTable>('routes', missingOfTable)
  const listeners = createGate<Listener>('listener', missingOfListener)
  let config: ProxyConfig = {
    listeners: new Map(),
    routes: new Map(),
    clusters: new Map(),
    names: new Map(),
    trust: new Map(),
    certificates: new Map(),
    ...(place && { place }),
  }

  const missingSecret = (name: string): boolean =>
    isSdsSecret(name)
      ? others?.().has(name) !== true
      : !resources.held('SDS').has(name) && !resources.isAbsent('SDS', name)
  const missingCluster = (name: string): boolean => isMissing(name, new Set())
  /** Of a cluster that is made of others all are needed. */
  const isMissing = (name: string, seen: Set<string>): boolean => {
    if (seen.has(name)) return false
    seen.add(name)
    const one = built.get(name)
    if (one === undefined) return !resources.isAbsent('CDS', name)
    return one.shape.members?.some((member) => isMissing(member, seen)) === true
  }

  function missingOfTable(table: RouteTable): string[] {
    return clustersOfTable(table)
      .filter(missingCluster)
      .map((name) => `cluster ${name}`)
  }
  function missingOfListener(listener: Listener): string[] {
    const needs = needsOfListener(listener)
    return [
      ...needs.clusters.filter(missingCluster).map((name) => `cluster ${name}`),
      ...needs.tables
        .filter((name) => !tables.inForce.has(name) && !resources.isAbsent('RDS', name))
        .map((name) => `routes ${name}`),
      ...needs.secrets.filter(missingSecret).map((name) => `secret ${name}`),
    ]
  }

  function buildClusters(): void {
    const shapes = resources.held('CDS')
    for (const name of built.keys()) if (!shapes.has(name)) built.delete(name)
    for (const [name, shape] of shapes) {
      const assignment = assignmentOf(shape)
      const before = built.get(name)
      if (before !== undefined && before.shape === shape && before.assignment === assignment) continue
      // A changed cluster that is not warm yet: the one before serves on.
      if (assignment === undefined || secretsOfCluster(shape).some(missingSecret)) continue
      built.set(name, { shape, assignment, cluster: buildCluster(shape, assignment, before?.cluster) })
    }
  }
  function assignmentOf({ edsName, inline }: ClusterShape): Assignment | undefined {
    if (edsName === undefined) return inline
    const held = resources.held('EDS').get(edsName)
    return held ?? (resources.isAbsent('EDS', edsName) ? noEndpoints : undefined)
  }

  return {
    settle() {
      buildClusters()
      const nowMs = clock.nowMs()
      tables.settle(resources.held('RDS'), nowMs, log)
      listeners.settle(resources.held('LDS'), nowMs, log)
      const clusters = new Map(Array.from(built, ([name, { cluster }]) => [name, cluster]))
      const secrets = new Map([...resources.held('SDS'), ...(others?.() ?? [])])
      const next: ProxyConfig = {
        listeners: keep(config.listeners, listeners.inForce),
        routes: keep(config.routes, tables.inForce),
        clusters: keep(config.clusters, clusters),
        names: keep(config.names, resources.held('NDS')),
        trust: keep(
          config.trust,
          part(secrets, ({ trustPem }) => trustPem),
        ),
        certificates: keep(
          config.certificates,
          part(secrets, ({ certificate }) => certificate),
        ),
        ...(place && { place }),
      }
      const parts = Object.keys(next) as (keyof ProxyConfig)[]
      if (!parts.some((part) => next[part] !== config[part])) return
      const revision = resources.revision()
      config = { ...next, ...(revision !== undefined && { revision }) }
    },
    config: () => config,
    waitingTables: () => tables.waitingValues(),
    waitingListeners: () => listeners.waitingValues(),
    nextLimitMs() {
      const since = [...tables.waiting.values(), ...listeners.waiting.values()].map(({ sinceMs }) => sinceMs)
      return since.length === 0 ? undefined : Math.min(...since) + warmLimitMs
    },
  }
}

const noEndpoints: Assignment = { endpoints: [] }

/** What `pick` finds, by the same names. */
function part<T, P>(all: ReadonlyMap<string, T>, pick: (one: T) => P | undefined): ReadonlyMap<string, P> {
  const found = new Map<string, P>()
  for (const [name, one] of all) {
    const picked = pick(one)
    if (picked !== undefined) found.set(name, picked)
  }
  return found
}

/** The old map if the new one says the same, else a copy. */
function keep<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (before.size === next.size && Array.from(next).every(([name, value]) => before.get(name) === value)) return before
  return new Map(next)
}

interface Gate<T> {
  readonly inForce: Map<string, T>
  readonly waiting: Map<string, Waiting<T>>
  settle(held: ReadonlyMap<string, T>, nowMs: number, log: Log): void
  waitingValues(): ReadonlyMap<string, T>
}

function createGate<T>(what: string, missingOf: (value: T) => string[]): Gate<T> {
  const inForce = new Map<string, T>()
  const waiting = new Map<string, Waiting<T>>()
  return {
    inForce,
    waiting,
    settle(held, nowMs, log) {
      for (const name of inForce.keys()) if (!held.has(name)) inForce.delete(name)
      for (const name of waiting.keys()) if (!held.has(name)) waiting.delete(name)
      for (const [name, value] of held) {
        if (inForce.get(name) === value) {
          waiting.delete(name)
          continue
        }
        const missing = missingOf(value)
        // An update during the wait does not begin it anew.
        const sinceMs = waiting.get(name)?.sinceMs ?? nowMs
        const late = missing.length > 0 && nowMs - sinceMs >= warmLimitMs
        if (missing.length > 0 && !late) {
          waiting.set(name, { value, sinceMs })
          continue
        }
        if (late)
          log.warn(`${what} in force without all that it names: the control plane did not send it`, {
            name,
            missing: missing.join(', '),
          })
        inForce.set(name, value)
        waiting.delete(name)
      }
    },
    waitingValues: () => new Map(Array.from(waiting, ([name, { value }]) => [name, value])),
  }
}
