import { create, type JsonObject } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { NodeSchema, type Node } from './gen/envoy/config/core/v3/base_pb.ts'
import { AggregatedDiscoveryService } from './gen/envoy/service/discovery/v3/ads_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from './gen/envoy/service/discovery/v3/discovery_pb.ts'
import { grpcCodes, grpcMethod, type GrpcConnection } from './grpc-client.ts'
import { keepStream, type OneStream } from './kept-stream.ts'
import { weftNodeMetadata } from './names.ts'
import { typeUrls, xdsTypeOf, type XdsType } from './type-urls.ts'

/** Who asks. */
export interface AdsNode {
  readonly id: string
  /** The service's name. */
  readonly cluster: string
  readonly version: string
  /** Besides the version; absent: nothing. */
  readonly metadata?: JsonObject
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string } | undefined
}

/** What came of one response. */
export interface Reception {
  /** Empty: ACK. Else NACK, naming the resources and fields; the rest of the response was taken. */
  readonly problems: readonly string[]
  /** Names of the resources that were taken; absent: nobody asks. */
  readonly accepted?: readonly string[]
  /** The answer waits for this: what was accepted serves only then. Gives the problems that were found meanwhile. */
  readonly inForce?: Promise<readonly string[]>
}

/** Whom resources are for. */
export interface AdsReceiver {
  /** Name → version of what is held. */
  readonly versions: (type: XdsType) => Record<string, string>
  readonly receive: (type: XdsType, response: DeltaDiscoveryResponse) => Reception
}

/** How a stream of resources begins, for this receiver. */
export type AdsSource = (receiver: AdsReceiver) => AdsClient

export interface AdsParts extends AdsReceiver {
  /** A new connection, with the identity of the moment. */
  readonly connect: () => GrpcConnection
  readonly node: AdsNode
  /** Asks for everything by an empty list, as Envoy does, and not by "*". */
  readonly olderWildcard?: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** One delta ADS stream after the other, each continuing where the last one broke. */
export interface AdsClient {
  /** The whole set of names wanted of a type from now on; "*" for all there are. Only the difference is sent. */
  subscribe(type: XdsType, names: ReadonlySet<string>): void
  /** A new connection instead of this one; nothing that is held is given up. */
  renew(): void
  close(): void
  state(): { readonly connected: boolean; readonly reason: string | undefined; readonly refused: readonly string[] }
}

type Request = Partial<
  Pick<
    DeltaDiscoveryRequest,
    'typeUrl' | 'resourceNamesSubscribe' | 'resourceNamesUnsubscribe' | 'initialResourceVersions' | 'responseNonce'
  >
> & { readonly errorDetail?: { code: number; message: string } }

const delta = grpcMethod(AggregatedDiscoveryService.method.deltaAggregatedResources)
/** Enough for a few dozen fields; HTTP/2 and people have their limits. */
const maxReasonChars = 8_000

/** In this order when a stream begins: what others refer to first. */
const order: readonly XdsType[] = ['NDS', 'SDS', 'CDS', 'EDS', 'LDS', 'RDS']

/** What was said on one stream. */
interface Said {
  /** Names sent so far, by type. */
  readonly asked: Map<XdsType, Set<string>>
  introduced: boolean
}

/** Connects at once, and again whenever the stream was lost. */
export function createAdsClient(parts: AdsParts): AdsClient {
  const { log } = parts
  const wanted = new Map<XdsType, ReadonlySet<string>>()
  const refused = new Map<XdsType, string>()
  let reason: string | undefined
  let said: Said = { asked: new Map(), introduced: false }

  const send = ({ call }: OneStream<DeltaDiscoveryRequest>, request: Request): void => {
    const message = create(DeltaDiscoveryRequestSchema, request)
    if (!said.introduced) message.node = nodeOf(parts.node)
    said.introduced = true
    call.send(message)
  }

  const ask = (to: OneStream<DeltaDiscoveryRequest>, type: XdsType): void => {
    const names = wanted.get(type) ?? new Set<string>()
    const { asked: sent } = said
    const before = sent.get(type)
    // Everything, in the older form, which every control plane knows. For any other set an empty first request would mean the same.
    if (parts.olderWildcard === true && names.has('*')) {
      if (before !== undefined) return
      sent.set(type, new Set(names))
      return send(to, { typeUrl: typeUrls[type], initialResourceVersions: parts.versions(type) })
    }
    if (before === undefined && names.size === 0) return
    const asked = before ?? new Set<string>()
    const subscribe = [...names].filter((name) => !asked.has(name))
    const unsubscribe = [...asked].filter((name) => !names.has(name))
    if (subscribe.length === 0 && unsubscribe.length === 0) return
    sent.set(type, new Set(names))
    send(to, {
      typeUrl: typeUrls[type],
      resourceNamesSubscribe: subscribe,
      resourceNamesUnsubscribe: unsubscribe,
      initialResourceVersions: before === undefined ? parts.versions(type) : {},
    })
  }

  const receive = (from: OneStream<DeltaDiscoveryRequest>, response: DeltaDiscoveryResponse): void => {
    const { typeUrl, nonce } = response
    const type = xdsTypeOf(typeUrl)
    const answer = (problem: string | undefined): void => {
      if (kept.present !== from) return
      const error = problem === undefined ? {} : { errorDetail: { code: grpcCodes.invalidArgument, message: problem } }
      send(from, { typeUrl, responseNonce: nonce, ...error })
    }
    if (type === undefined) return answer(`unknown type ${typeUrl}`)
    const { problems, inForce } = parts.receive(type, response)
    // Here "accepted" becomes "serves": the configuration with it has been handed out.
    if (problems.length === 0 && inForce !== undefined) void inForce.then((later) => judge(type, later, answer))
    else judge(type, problems, answer)
  }

  const judge = (type: XdsType, problems: readonly string[], answer: (problem: string | undefined) => void): void => {
    if (problems.length === 0) {
      refused.delete(type)
      return answer(undefined)
    }
    const text = problems.join('\n').slice(0, maxReasonChars)
    refused.set(type, text)
    log.error('refused a part of the configuration; the last good one stays', { type, reason: text })
    answer(text)
  }

  const kept = keepStream({
    ...parts,
    method: delta,
    begun(stream) {
      said = { asked: new Map(), introduced: false }
      for (const type of order) ask(stream, type)
    },
    message(stream, response, { first, failures }) {
      if (first) {
        log[failures === 0 ? 'debug' : 'info']('connected to the control plane')
        reason = undefined
      }
      receive(stream, response)
    },
    lost(why, failures) {
      // The first one is news, the twentieth is not.
      log[failures === 0 ? 'warn' : 'debug']('no control plane; serving on with the last configuration', {
        reason: why,
      })
      reason = why
    },
  })
  return {
    subscribe(type, names) {
      wanted.set(type, names)
      if (kept.present !== undefined) ask(kept.present, type)
    },
    renew: () => kept.renew(),
    close: () => kept.close(),
    state: () => ({
      connected: kept.present?.heard ?? false,
      reason,
      refused: Array.from(refused, ([type, text]) => `${type}: ${text}`),
    }),
  }
}

/** As it stands in requests. */
export const nodeOf = ({ id, cluster, version, metadata, locality }: AdsNode): Node =>
  create(NodeSchema, {
    id,
    cluster,
    metadata: { ...metadata, [weftNodeMetadata]: version },
    userAgentName: 'weft',
    ...(locality && { locality }),
  })
