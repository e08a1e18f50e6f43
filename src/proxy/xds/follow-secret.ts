import { create } from '@bufbuild/protobuf'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import {
  DiscoveryRequestSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { StatusSchema } from '../../xds/gen/google/rpc/status_pb.ts'
import { SecretDiscoveryService } from '../../xds/gen/envoy/service/secret/v3/sds_pb.ts'
import { grpcCodes, grpcMethod, type GrpcConnection } from '../../xds/grpc-client.ts'
import { keepStream, type OneStream } from '../../xds/kept-stream.ts'
import { typeUrls } from '../../xds/type-urls.ts'
import { nodeOf, type AdsNode } from '../../xds/ads-client.ts'
import type { Secret } from './decode-sds.ts'
import { decodeResource } from './decode.ts'

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

/**
 * Asks for one secret, a stream of its own as Envoy does, and hears of each new state of it. A lost stream is followed by another; what was
 * received stays. Source: Envoy, "Secret discovery service"; xDS protocol, state of the world.
 */
export function followSecret(parts: FollowParts): Followed {
  const { name, log } = parts
  let reason: string | undefined
  /** Of the last response that was taken on this stream. */
  let version = ''

  const send = (
    { call }: OneStream<DiscoveryRequest>,
    more: Partial<Pick<DiscoveryRequest, 'node' | 'responseNonce' | 'errorDetail'>>,
  ): void => {
    call.send(
      create(DiscoveryRequestSchema, {
        typeUrl: typeUrls.SDS,
        resourceNames: [name],
        versionInfo: version,
        ...more,
      }),
    )
  }
  const receive = (from: OneStream<DiscoveryRequest>, { resources, versionInfo, nonce }: DiscoveryResponse): void => {
    reason = undefined
    const problems = resources.flatMap((resource) => {
      const decoded = decodeResource('SDS', { name, resource, metadata: undefined })
      if ('problem' in decoded) return [decoded.problem]
      parts.received(decoded.value)
      return []
    })
    if (problems.length === 0) {
      version = versionInfo
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

  const kept = keepStream({
    ...parts,
    method: streamSecrets,
    begun(stream) {
      version = ''
      send(stream, { node: nodeOf(parts.node) })
    },
    message: receive,
    lost(why, failures) {
      log[failures === 0 ? 'warn' : 'debug']('nobody brings a secret; what there is stays', {
        secret: name,
        reason: why,
      })
      reason = why
    },
  })
  return {
    close: () => kept.close(),
    state: () => ({ connected: kept.present?.heard ?? false, reason }),
  }
}
