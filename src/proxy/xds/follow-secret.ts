import { create } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import {
  DiscoveryRequestSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { StatusSchema } from '../../xds/gen/google/rpc/status_pb.ts'
import { SecretDiscoveryService } from '../../xds/gen/envoy/service/secret/v3/sds_pb.ts'
import { grpcCodes, grpcMethod, type GrpcCall, type GrpcConnection } from '../../xds/grpc-client.ts'
import { typeUrls } from '../../xds/type-urls.ts'
import { nodeOf, type AdsNode } from '../../xds/ads-client.ts'
import type { Secret } from './decode-sds.ts'
import { decodeResource } from './decode.ts'
import { goodLifeMs, reconnectDelayMs } from '../../xds/reconnect.ts'

/** One secret, and who has it. */
export interface FollowParts {
  readonly name: string
  readonly connect: () => GrpcConnection
  readonly node: AdsNode
  /** It came, or came anew. What is not good never does. */
  readonly received: (secret: Secret) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A secret that is followed until it is not wanted any more. */
export interface Followed {
  close(): void
  state(): { readonly connected: boolean; readonly reason: string | undefined }
}

const streamSecrets = grpcMethod(SecretDiscoveryService.method.streamSecrets)

interface Stream {
  readonly connection: GrpcConnection
  readonly call: GrpcCall<DiscoveryRequest>
  readonly startedMs: number
  heard: boolean
  /** Version of the last response that was taken. */
  version: string
}

/**
 * Asks for one secret, a stream of its own as Envoy does, and hears of each new state of it. A lost stream is followed by another; what was
 * received stays. Source: Envoy, "Secret discovery service"; xDS protocol, state of the world.
 */
export function followSecret(parts: FollowParts): Followed {
  const { name, clock, random, log } = parts
  let stream: Stream | undefined
  let timer: Timer | undefined
  let failures = 0
  let reason: string | undefined
  let closed = false

  const begin = (): void => {
    timer = undefined
    const connection = parts.connect()
    const call = connection.stream(streamSecrets, {
      message: (response) => stream === mine && receive(mine, response),
      end: ({ code, message }) => lost(mine, code === grpcCodes.ok ? 'the server ended the stream' : message),
    })
    const mine: Stream = { connection, call, startedMs: clock.nowMs(), heard: false, version: '' }
    stream = mine
    void connection.closed.then((why) => lost(mine, why))
    send(mine, { node: nodeOf(parts.node) })
  }
  const lost = (which: Stream, why: string): void => {
    if (stream !== which) return
    stream = undefined
    which.connection.close()
    if (closed) return
    if (which.heard && clock.nowMs() - which.startedMs >= goodLifeMs) failures = 0
    log[failures === 0 ? 'warn' : 'debug']('nobody brings a secret; what there is stays', { secret: name, reason: why })
    timer = clock.after(reconnectDelayMs(failures++, random), begin, { background: true })
    reason = why
  }
  const send = (to: Stream, more: Partial<Pick<DiscoveryRequest, 'node' | 'responseNonce' | 'errorDetail'>>): void => {
    to.call.send(
      create(DiscoveryRequestSchema, {
        typeUrl: typeUrls.SDS,
        resourceNames: [name],
        versionInfo: to.version,
        ...more,
      }),
    )
  }
  const receive = (from: Stream, { resources, versionInfo, nonce }: DiscoveryResponse): void => {
    from.heard = true
    reason = undefined
    const problems = resources.flatMap((resource) => {
      const decoded = decodeResource('SDS', { name, resource, metadata: undefined })
      if ('problem' in decoded) return [decoded.problem]
      parts.received(decoded.value)
      return []
    })
    if (problems.length === 0) {
      from.version = versionInfo
      return send(from, { responseNonce: nonce })
    }
    const message = problems.join('; ')
    log.error('refused a secret; the last good one stays', { secret: name, reason: message })
    reason = message
    send(from, {
      responseNonce: nonce,
      errorDetail: create(StatusSchema, { code: grpcCodes.invalidArgument, message }),
    })
  }

  begin()
  return {
    close() {
      closed = true
      timer?.cancel()
      stream?.connection.close()
      stream = undefined
    },
    state: () => ({ connected: stream?.heard ?? false, reason }),
  }
}
