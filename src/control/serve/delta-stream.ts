import { create } from '@bufbuild/protobuf'
import {
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls, xdsTypeOf, type XdsType } from '../../xds/type-urls.ts'
import type { RenderedResource } from '../render/render.ts'
import { Subscription, type Plan, type TypeView } from './subscription.ts'

/** What one proxy can see of the mesh now. */
export interface View {
  readonly type: (type: XdsType) => TypeView
  /** Of the store: everything up to it is in here. */
  readonly revision: number
  /** When this state of the mesh came to be, on the monotonic clock. */
  readonly sinceMs: number
}

/** One resource that a client is to have; `version` "": that is to go. */
export interface Unserved {
  readonly type: XdsType
  readonly name: string
  readonly version: string
  /** Of the mesh, as the stream counts them. */
  readonly state: number
}

export interface DeltaStreamEvents {
  send(response: DeltaDiscoveryResponse): void
  nowMs(): number
  /** A response left. `waitedMs`: since the change of the mesh that caused it; undefined when the client asked for it. */
  pushed(type: XdsType, waitedMs: number | undefined): void
  /** A response was answered after `tookMs`; `reason`: why the client refused it. */
  settled(type: XdsType, tookMs: number, reason: string | undefined): void
}

const types = Object.keys(typeUrls) as readonly XdsType[]

/**
 * One ADS stream: the types together, in an order in which no request is lost: clusters, their endpoints (again for every changed
 * cluster, without waiting), and once the clusters are acknowledged (Envoy does that when they are warm) listeners and routes; what
 * disappears goes last, clusters after whatever points to them. One response in flight a type: what changes meanwhile is found by
 * comparing again. Source: Envoy, xDS protocol, "Eventual consistency considerations".
 */
export class DeltaStream {
  readonly #events: DeltaStreamEvents
  #view: View
  #nonce = 0
  #state = 1
  #served = 0
  readonly #subscriptions: Readonly<Record<XdsType, Subscription>> = {
    LDS: new Subscription(),
    RDS: new Subscription(),
    CDS: new Subscription(),
    EDS: new Subscription(),
    SDS: new Subscription(),
    NDS: new Subscription(),
  }

  constructor(view: View, events: DeltaStreamEvents) {
    this.#view = view
    this.#events = events
  }

  /** A request of the client. A type that we do not serve is not answered. */
  request(request: DeltaDiscoveryRequest): void {
    const type = xdsTypeOf(request.typeUrl)
    if (type === undefined) return
    const subscription = this.#subscriptions[type]
    const reason = request.errorDetail?.message
    const settled = subscription.settle(request.responseNonce, reason)
    subscription.change(request)
    if (settled !== undefined) this.#events.settled(type, this.#events.nowMs() - settled.sentMs, reason)
    this.#pump(undefined)
  }

  /** The mesh has changed. */
  update(view: View): void {
    this.#view = view
    this.#state++
    this.#pump(view.sinceMs)
  }

  /** What is known of one type; undefined: never asked for. */
  state(type: XdsType): { readonly subscription: Subscription; readonly synced: boolean } | undefined {
    const subscription = this.#subscriptions[type]
    if (!subscription.active) return undefined
    const { upserts, absent, removals } = subscription.plan(this.#view.type(type))
    return { subscription, synced: !subscription.inFlight && upserts.length + absent.length + removals.length === 0 }
  }

  /** What the client has not acknowledged yet of the present state; empty: it serves all of it. */
  unserved(): readonly Unserved[] {
    return types.flatMap((type) => {
      const subscription = this.#subscriptions[type]
      if (!subscription.active) return []
      const names = subscription.unserved(this.#view.type(type))
      return Array.from(names, ([name, version]) => ({ type, name, version, state: this.#state }))
    })
  }

  /** The last revision of the store of which the client has acknowledged everything; 0: none yet. */
  get servedRevision(): number {
    return this.#served
  }

  /** Whether the client serves that now, or something newer in its place; else why it refused it, or false. */
  serves({ type, name, version, state }: Unserved): boolean | { readonly refused: string } {
    const there = this.#view.type(type).resource(name) !== undefined
    return this.#subscriptions[type].serves(name, there ? version : '', state)
  }

  /** The names of a type that the client asks for one by one. */
  explicit(type: XdsType): ReadonlySet<string> {
    return this.#subscriptions[type].explicit
  }

  /** Every name that the client asks for one by one, all types together. */
  get explicitCount(): number {
    return types.reduce((sum, type) => sum + this.#subscriptions[type].explicitCount, 0)
  }

  /** Whether this client may still call the workload, as far as its acknowledgements tell. */
  mayCall(workload: string): boolean {
    return this.#subscriptions.EDS.mayCall(workload)
  }

  #pump(changedMs: number | undefined): void {
    const { LDS, RDS, CDS, EDS } = this.#subscriptions
    const say = (type: XdsType, parts: (plan: Plan) => Said): boolean => this.#say(type, parts, changedMs)

    say('SDS', everything)
    say('NDS', everything)
    say('CDS', additions)
    say('EDS', additions)
    if (CDS.inFlight) return
    say('LDS', everything)
    say('RDS', everything)
    if (LDS.inFlight || RDS.inFlight) return
    if (say('CDS', everything)) return
    if (!EDS.inFlight) say('EDS', everything)
    const settled = types.every((type) => {
      const { inFlight, rejected } = this.#subscriptions[type]
      return !inFlight && rejected.length === 0
    })
    if (settled) this.#served = this.#view.revision
  }

  /** Sends what `parts` takes of the plan, if the type is free and there is something. True: a response left. */
  #say(type: XdsType, parts: (plan: Plan) => Said, changedMs: number | undefined): boolean {
    const subscription = this.#subscriptions[type]
    if (!subscription.active || subscription.inFlight) return false
    const { upserts, removed } = parts(subscription.plan(this.#view.type(type)))
    if (upserts.length === 0 && removed.length === 0 && !subscription.owesAnswer) return false
    const nonce = String(++this.#nonce)
    const nowMs = this.#events.nowMs()
    subscription.sent(nonce, upserts, removed, { nowMs, state: this.#state })
    if (type === 'CDS') for (const { name } of upserts) this.#subscriptions.EDS.repeat(name)
    this.#events.send(
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: typeUrls[type],
        systemVersionInfo: String(this.#view.revision),
        nonce,
        resources: upserts.map(({ message }) => message),
        removedResources: Array.from(removed),
      }),
    )
    this.#events.pushed(type, changedMs === undefined ? undefined : nowMs - changedMs)
    return true
  }
}

interface Said {
  readonly upserts: readonly RenderedResource[]
  readonly removed: readonly string[]
}
const everything = ({ upserts, absent, removals }: Plan): Said => ({ upserts, removed: [...absent, ...removals] })
const additions = ({ upserts, absent }: Plan): Said => ({ upserts, removed: absent })
