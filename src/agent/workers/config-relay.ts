import { create, toBinary } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { FromSidecar, ToSidecar } from '../../proxy/sidecar-messages.ts'
import type { AdsClient, AdsSource, Reception } from '../../xds/ads-client.ts'
import {
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
  type Resource,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls, type XdsType } from '../../xds/type-urls.ts'

type Tell = (message: Extract<ToSidecar, { kind: 'resources' }>) => void
type Asked = Extract<FromSidecar, { kind: 'subscribe' | 'received' }>

/**
 * One stream of resources for all workers of a proxy: it asks for whatever any of them wants, hands on what comes, and keeps it (as
 * bytes, which it does not read) for those that begin later, with or without a control plane.
 */
export interface ConfigRelay {
  /** A worker begins. */
  join(tell: Tell): RelayedWorker
  /** A new connection (the identity has changed). */
  renew(): void
  state(): unknown
  close(): void
}

/** What one worker asks. */
export interface RelayedWorker {
  hear(message: Asked): void
  /** Its process has ended. */
  left(): void
}

interface Shelf {
  readonly resources: Map<string, Resource>
  readonly absent: Set<string>
  /** The control plane has said something of this type. */
  seen: boolean
}

interface Vote {
  readonly problems: readonly string[]
  readonly refused: readonly string[]
}

/** What a worker that has ended wanted is kept so long for the next one, ms. */
const successorMs = 30_000

/**
 * Nothing is asked for before a worker does. The control plane hears an ACK when every worker has accepted, a NACK with the words of all
 * that refused; a worker that ends before it has said anything has no voice.
 */
export function createConfigRelay(source: AdsSource, { clock, log }: { clock: Clock; log: Log }): ConfigRelay {
  const shelves = new Map<XdsType, Shelf>()
  const members = new Set<Member>()
  const timers = new Set<Timer>()
  let revision = ''
  let nextId = 1

  const shelfOf = (type: XdsType): Shelf => {
    let shelf = shelves.get(type)
    if (shelf === undefined) shelves.set(type, (shelf = { resources: new Map(), absent: new Set(), seen: false }))
    return shelf
  }
  const client: AdsClient = source({
    versions: (type) =>
      Object.fromEntries(Array.from(shelfOf(type).resources.values(), ({ name, version }) => [name, version])),
    receive,
  })

  function receive(type: XdsType, response: DeltaDiscoveryResponse): Reception {
    const shelf = shelfOf(type)
    const before = new Map(response.resources.map(({ name }) => [name, shelf.resources.get(name)]))
    revision = response.systemVersionInfo || revision
    shelf.seen = true
    // A name and version without a body only says that it lives on.
    for (const one of response.resources) if (one.resource !== undefined) shelf.resources.set(one.name, one)
    for (const { name } of response.resources) shelf.absent.delete(name)
    for (const name of response.removedResources) {
      shelf.resources.delete(name)
      shelf.absent.add(name)
    }
    const votes = Array.from(members, (member) => member.offer(type, response.resources, response.removedResources))
    const inForce = Promise.all(votes).then((all) => {
      const problems = [...new Set(all.flatMap((vote) => vote.problems))]
      if (problems.length > 0) takeBack(shelf, new Set(all.flatMap(({ refused }) => refused)), response, before)
      return problems
    })
    return { problems: [], inForce }
  }

  /** The last good stays, for workers to come and for the next stream. */
  function takeBack(
    { resources }: Shelf,
    refused: ReadonlySet<string>,
    response: DeltaDiscoveryResponse,
    before: ReadonlyMap<string, Resource | undefined>,
  ): void {
    for (const one of response.resources) {
      if (!refused.has(one.name) || resources.get(one.name) !== one) continue
      const good = before.get(one.name)
      if (good === undefined) resources.delete(one.name)
      else resources.set(one.name, good)
    }
  }

  /** Asks for what all of them want, and forgets what nobody does. */
  function subscribe(type: XdsType): void {
    const union = new Set(Array.from(members).flatMap(({ wanted }) => [...(wanted.get(type) ?? [])]))
    const { resources, absent } = shelfOf(type)
    if (!union.has('*'))
      for (const known of [resources, absent]) for (const name of known.keys()) if (!union.has(name)) known.delete(name)
    client.subscribe(type, union)
  }

  class Member implements RelayedWorker {
    readonly wanted = new Map<XdsType, ReadonlySet<string>>()
    readonly #votes = new Map<number, (vote: Vote) => void>()
    readonly #tell: Tell
    #isGone = false

    constructor(tell: Tell) {
      this.#tell = tell
    }

    hear(message: Asked): void {
      if (this.#isGone) return
      if (message.kind === 'received') {
        this.#votes.get(message.id)?.(message)
        this.#votes.delete(message.id)
        return
      }
      const type = message.type as XdsType
      const before = this.wanted.get(type)
      this.wanted.set(type, new Set(message.names))
      const added = message.names.filter((name) => before?.has(name) !== true)
      subscribe(type)
      if (added.length > 0) void this.#replay(type, new Set(added))
    }

    /** What is known already. */
    async #replay(type: XdsType, added: ReadonlySet<string>): Promise<void> {
      const { resources, absent, seen } = shelfOf(type)
      const all = added.has('*')
      const known = [...resources.values()].filter(({ name }) => all || added.has(name))
      const gone = [...absent].filter((name) => added.has(name))
      if (known.length + gone.length === 0 && !(all && seen)) return
      const { problems } = await this.offer(type, known, gone)
      if (problems.length > 0) log.error('a worker refused what the others have', { type, reason: problems.join('; ') })
    }

    offer(type: XdsType, resources: readonly Resource[], removed: readonly string[]): Promise<Vote> {
      const wanted = this.wanted.get(type)
      const isWanted = (name: string): boolean => wanted?.has('*') === true || wanted?.has(name) === true
      const own = resources.filter(({ name }) => isWanted(name))
      const ownRemoved = removed.filter(isWanted)
      if (this.#isGone || (own.length + ownRemoved.length === 0 && wanted?.has('*') !== true))
        return Promise.resolve(noObjection)
      const id = nextId++
      const response = create(DeltaDiscoveryResponseSchema, {
        typeUrl: typeUrls[type],
        systemVersionInfo: revision,
        resources: own,
        removedResources: ownRemoved,
      })
      const bytes = Buffer.from(toBinary(DeltaDiscoveryResponseSchema, response)).toString('base64')
      return new Promise((resolve) => {
        this.#votes.set(id, resolve)
        this.#tell({ kind: 'resources', id, type, response: bytes })
      })
    }

    left(): void {
      this.#isGone = true
      for (const settle of this.#votes.values()) settle(noObjection)
      this.#votes.clear()
      const forget = clock.after(
        successorMs,
        () => {
          timers.delete(forget)
          members.delete(this)
          for (const type of this.wanted.keys()) subscribe(type)
        },
        { background: true },
      )
      timers.add(forget)
    }
  }

  return {
    join(tell) {
      const member = new Member(tell)
      members.add(member)
      return member
    },
    renew: () => client.renew(),
    state: () => client.state(),
    close() {
      for (const timer of timers) timer.cancel()
      client.close()
    },
  }
}

const noObjection: Vote = { problems: [], refused: [] }
