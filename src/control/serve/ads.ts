import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import { AggregatedDiscoveryService } from '../../xds/gen/envoy/service/discovery/v3/ads_pb.ts'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { weftNodeMetadata, workersNodeMetadata } from '../../xds/names.ts'
import { typeUrls, type XdsType } from '../../xds/type-urls.ts'
import type { ProxyState, Served } from '../api/contract.ts'
import type { Model } from '../model/model.ts'
import { notEnforcedByEnvoy } from '../render/envoy-limits.ts'
import { createRenderer, type Proxy, type Rendering } from '../render/render.ts'
import { createAdsMetrics } from './ads-metrics.ts'
import { admit, type Admitted } from './admission.ts'
import { boundedWriter, type BoundedWriter } from './bounded-writer.ts'
import { DeltaStream, type View } from './delta-stream.ts'
import { createRememberedUses, usedBy } from './remembered-uses.ts'
import { createRemovalWaits } from './removal-waits.ts'
import { createServeWaits } from './serve-waits.ts'
import { hostedService, refuse, type Caller, type HostedService, type Refusal } from './service.ts'

/** The control plane's side of xDS: who is connected, what each was told, what each has acknowledged. */
export interface Ads {
  readonly service: HostedService
  /** Connected proxies, and those that went in the last ten minutes; sorted by name. */
  proxies(): readonly ProxyState[]
  /**
   * Resolves once the model offers `<namespace>/<name>` to nobody and every connected proxy has acknowledged that; after `deadlineMs`
   * with the proxies that have not.
   */
  removalAcked(workload: string, deadlineMs: number): Promise<{ readonly laggards: readonly string[] }>
  /** The newest model, when `<namespace>/<name>` has acknowledged all that it gives; else undefined. */
  acknowledged(workload: string): Model | undefined
  /** Resolves once every proxy serves what the store holds up to `revision`, or after `deadlineMs`; says who does, and who does not. */
  served(revision: number, deadlineMs: number): Promise<Served>
  /** Service ports that instances of `<namespace>/<service>` call, or called before they went: names, sorted. */
  usedBy(service: string): readonly string[]
  /** Lines in the Prometheus text format. */
  metrics(): string
  /** Ends every stream; the clients keep what they have and come back. */
  close(): void
}

/** A response that could not be written for this long means a client that does not read: it is dropped. */
const stalledMs = 20_000
const rememberGoneMs = 600_000
/** Names asked for one by one on a stream, all types together; far above any real proxy. */
const maxNames = 100_000

type Call = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>

interface Connected {
  readonly id: string
  readonly call: Call
  readonly stream: DeltaStream
  readonly writes: BoundedWriter<DeltaDiscoveryResponse>
  readonly sinceMs: number
  readonly several: Pick<ProxyState, 'workers'>
  proxy: Proxy
}
interface Gone {
  readonly servedRevision: number
  readonly types: ProxyState['types']
  readonly goneMs: number
}

/** Serves delta ADS from the newest model. A change is compared and sent in the same turn of the event loop, all changes of a turn at once. */
export function createAds(parts: {
  readonly model: Watchable<Model>
  readonly trustBundlePem: Watchable<string>
  /** Whom this machine believes; absent: nobody. */
  readonly systemTrustPem?: () => string
  readonly clock: Clock
  readonly log: Log
}): Ads {
  const { model, trustBundlePem, clock } = parts
  const log = parts.log.named('ads')
  const renderer = createRenderer(parts.systemTrustPem)
  const metrics = createAdsMetrics()
  const connected = new Set<Connected>()
  const uses = createRememberedUses(clock)
  const gone = new Map<string, Gone>()
  const waits = createRemovalWaits<Connected>({
    clock,
    model,
    connected: () => connected,
    mayCall: ({ stream }, workload) => stream.mayCall(workload),
  })
  const serveWaits = createServeWaits<Connected>({
    clock,
    revision: () => rendering.model.storeRevision,
    connected: () => connected,
    away: () => [...gone.keys()].filter((id) => rendering.model.workloads.has(id)),
  })
  let rendering: Rendering = renderer.render(model.value, trustBundlePem.value)
  let changedMs = clock.nowMs()
  let scheduled = false
  let closed = false

  const push = (): void => {
    scheduled = false
    if (closed) return
    rendering = renderer.render(model.value, trustBundlePem.value)
    for (const one of connected) guarded(one, () => refresh(one))
    forgetOld()
    serveWaits.pushed(rendering.model.storeRevision)
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    changedMs = clock.nowMs()
    setImmediate(push)
  }
  const stopWatching = [
    model.watch(() => {
      waits.modelChanged()
      schedule()
    }),
    trustBundlePem.watch(schedule),
  ]

  /** A resource that cannot be made is a bug of ours; it costs that proxy its news, not everybody the control plane. */
  function guarded(one: Connected, work: () => void): void {
    try {
      work()
    } catch (error) {
      log.error('configuration could not be made', { proxy: one.id, error: error instanceof Error ? error.stack : '' })
    }
  }

  function refresh(one: Connected): void {
    const workload = rendering.model.workloads.get(one.id)
    if (workload !== undefined && workload.identity !== one.proxy.workload.identity) {
      return refuse(one.call, { code: status.PERMISSION_DENIED, details: `${one.id} has another identity now` })
    }
    // A workload that is gone keeps its listeners: it is being drained, or its registration was lost and will come back.
    if (workload !== undefined) one.proxy = { ...one.proxy, workload }
    one.stream.update(viewOf(one.proxy))
  }

  const viewOf = (proxy: Proxy): View => ({
    sinceMs: changedMs,
    revision: rendering.model.storeRevision,
    type: (type) => ({
      wildcard: () => rendering.wildcard(type, proxy),
      resource: (name) => rendering.resource(type, name, proxy),
      get version() {
        return type === 'NDS' ? rendering.namesVersion() : undefined
      },
    }),
  })

  function open(call: Call, caller: Caller, { id, workload, node }: Admitted): Connected {
    const kind = Object.hasOwn(node.metadata ?? {}, weftNodeMetadata) ? 'weft' : 'foreign'
    const proxy: Proxy = { workload, kind }
    const writes = writer(call, caller, id)
    const stream = new DeltaStream(viewOf(proxy), {
      send: (response) => writes.write(response),
      nowMs: () => clock.nowMs(),
      pushed: (type, waitedMs) => metrics.pushed(type, waitedMs),
      settled(type, tookMs, reason) {
        metrics.settled(type, tookMs, reason !== undefined)
        if (reason !== undefined) log.warn('configuration refused by a proxy', { proxy: id, type, reason })
      },
    })
    const workers = node.metadata?.[workersNodeMetadata]
    const several = typeof workers === 'number' && workers > 1 ? { workers } : {}
    const one: Connected = { id, call, stream, writes, sinceMs: clock.nowMs(), proxy, several }
    connected.add(one)
    gone.delete(id)
    waits.connected(one)
    serveWaits.connected(one)
    log.debug('proxy connected', { proxy: id, kind })
    return one
  }

  function leave(one: Connected): void {
    if (!connected.delete(one)) return
    one.writes.stop()
    waits.left(one)
    uses.left(serviceOf(one), usedBy(one.stream, model.value))
    serveWaits.left(one)
    forgetOld()
    gone.set(one.id, {
      types: typeStates(one.stream),
      servedRevision: one.stream.servedRevision,
      goneMs: clock.nowMs(),
    })
    log.debug('proxy disconnected', { proxy: one.id })
  }

  /** Drops the client when what was written does not leave: memory never grows with a client that does not read. */
  const writer = (call: Call, caller: Caller, id: string): BoundedWriter<DeltaDiscoveryResponse> =>
    boundedWriter((response, flushed) => void (call.writable && call.write(response, flushed)), {
      clock,
      stalledMs,
      stalled() {
        log.warn('dropped a proxy that does not read', { proxy: id })
        refuse(call, { code: status.RESOURCE_EXHAUSTED, details: `nothing was read for ${stalledMs / 1000} s` })
        caller.disconnect()
      },
    })

  function serve(call: Call, caller: Caller): void {
    let one: Connected | undefined
    let ended = false
    const waiting: DeltaDiscoveryRequest[] = []
    const leaving = new AbortController()
    const end = (): void => {
      ended = true
      leaving.abort()
      if (one !== undefined) leave(one)
    }
    const fail = (refusal: Refusal): void => {
      log.info('ADS stream refused', { reason: refusal.details, caller: caller.spiffeId })
      refuse(call, refusal)
      end()
    }
    const take = (target: Connected, request: DeltaDiscoveryRequest): void => {
      guarded(target, () => target.stream.request(request))
      waits.progressed(target)
      serveWaits.progressed(target)
      if (target.stream.explicitCount > maxNames) {
        fail({ code: status.RESOURCE_EXHAUSTED, details: `more than ${maxNames} names on one stream` })
      }
    }
    call.on('data', (request: DeltaDiscoveryRequest) => {
      if (ended) return
      if (one !== undefined) return take(one, request)
      waiting.push(request)
      if (waiting.length > 64) return fail({ code: status.RESOURCE_EXHAUSTED, details: 'too many requests at once' })
      if (waiting.length > 1) return
      void admit(request.node, caller, { model, clock, signal: leaving.signal }).then((verdict) => {
        if (ended) return
        if ('code' in verdict) return fail(verdict)
        const opened = open(call, caller, verdict)
        one = opened
        for (const early of waiting.splice(0)) if (!ended) take(opened, early)
      })
    })
    call.on('cancelled', end)
    call.on('error', end)
    call.on('end', () => {
      end()
      call.end()
    })
    if (closed) fail({ code: status.UNAVAILABLE, details: 'the control plane is stopping' })
  }

  function forgetOld(): void {
    const limitMs = clock.nowMs() - rememberGoneMs
    for (const [id, { goneMs }] of gone) if (goneMs < limitMs) gone.delete(id)
  }

  return {
    service: hostedService(AggregatedDiscoveryService, {
      deltaAggregatedResources: serve,
      streamAggregatedResources(call) {
        refuse(call, {
          code: status.UNIMPLEMENTED,
          details:
            'this control plane serves delta ADS only: use DeltaAggregatedResources (Envoy: api_type DELTA_GRPC)',
        })
      },
    }),
    proxies() {
      forgetOld()
      const nowMs = clock.nowMs()
      const states = new Map<string, ProxyState>()
      for (const [proxy, { types, goneMs, servedRevision }] of gone) {
        states.set(proxy, { proxy, connected: false, forMs: nowMs - goneMs, revision: servedRevision, types })
      }
      // A proxy that reconnects may have two streams for a moment: the later one speaks.
      for (const { id, stream, sinceMs, several, proxy } of connected) {
        const { servedRevision: revision } = stream
        const forMs = nowMs - sinceMs
        const state = { proxy: id, connected: true, forMs, revision, ...several, types: typeStates(stream) }
        states.set(id, { ...state, ...softwareOf(proxy, rendering.model) })
      }
      return Array.from(states.values()).toSorted((a, b) => (a.proxy < b.proxy ? -1 : 1))
    },
    removalAcked: async (workload, deadlineMs) => {
      const laggards = await waits.wait(workload, deadlineMs)
      return { laggards: Array.from(new Set(laggards.map(({ id }) => id))).toSorted() }
    },
    acknowledged(workload) {
      for (const { id, stream } of connected) {
        if (id !== workload) continue
        const states = typeStates(stream)
        const listens = states.some(({ type }) => type === 'LDS')
        if (listens && states.every(({ synced, rejected }) => synced && rejected.length === 0)) return rendering.model
      }
      return undefined
    },
    served: (revision, deadlineMs) => serveWaits.wait(revision, deadlineMs),
    usedBy: (service) =>
      uses.of(
        service,
        Array.from(connected, (one) => (serviceOf(one) === service ? usedBy(one.stream, model.value) : [])).flat(),
      ),
    metrics: () => metrics.text(connected.size),
    close() {
      closed = true
      for (const stop of stopWatching) stop()
      waits.close()
      serveWaits.close()
      for (const one of connected) {
        refuse(one.call, { code: status.UNAVAILABLE, details: 'the control plane is stopping' })
        leave(one)
      }
    },
  }
}

/** Nothing for a proxy of our own. */
function softwareOf({ workload }: Proxy, model: Model): Pick<ProxyState, 'software' | 'notEnforced'> {
  if (workload.proxy === undefined) return {}
  const notEnforced = notEnforcedByEnvoy(model, workload.namespace)
  return { software: workload.proxy, ...(notEnforced.length === 0 ? {} : { notEnforced }) }
}

const serviceOf = ({ proxy: { workload } }: Connected): string => `${workload.namespace}/${workload.service}`

function typeStates(stream: DeltaStream): ProxyState['types'] {
  return (Object.keys(typeUrls) as XdsType[]).flatMap((type) => {
    const state = stream.state(type)
    if (state === undefined) return []
    const { subscription, synced } = state
    return [{ type, resources: subscription.heldCount, synced, rejected: subscription.rejected }]
  })
}
