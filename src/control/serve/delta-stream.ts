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
  /** When this state of the mesh came to be, on the monotonic clock. */
  readonly sinceMs: number
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
    this.#pump(view.sinceMs)
  }

  /** What is known of one type; undefined: never asked for. */
  state(type: XdsType): { readonly subscription: Subscription; readonly synced: boolean } | undefined {
    const subscription = this.#subscriptions[type]
    if (!subscription.active) return undefined
    const { upserts, absent, removals } = subscription.plan(this.#view.type(type))
    return { subscription, synced: !subscription.inFlight && upserts.length + absent.length + removals.length === 0 }
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
  }

  /** Sends what `parts` takes of the plan, if the type is free and there is something. True: a response left. */
  #say(type: XdsType, parts: (plan: Plan) => Said, changedMs: number | undefined): boolean {
    const subscription = this.#subscriptions[type]
    if (!subscription.active || subscription.inFlight) return false
    const { upserts, removed } = parts(subscription.plan(this.#view.type(type)))
    if (upserts.length === 0 && removed.length === 0 && !subscription.owesAnswer) return false
    const nonce = String(++this.#nonce)
    const nowMs = this.#events.nowMs()
    subscription.sent(nonce, upserts, removed, nowMs)
    if (type === 'CDS') for (const { name } of upserts) this.#subscriptions.EDS.repeat(name)
    this.#events.send(
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: typeUrls[type],
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
