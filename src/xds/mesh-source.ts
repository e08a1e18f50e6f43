import type { Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { createAdsClient, type AdsNode, type AdsSource } from './ads-client.ts'
import { connectGrpc, type GrpcConnection } from './grpc-client.ts'
import { controlPlaneId } from './names.ts'

/** As whom, and whom to believe, PEM. */
export interface MeshCredentials {
  readonly keyPem: string
  readonly chainPem: string
  readonly trustPem: string
}

/** Opens connections to Weft's own control plane over mTLS: it must be the control plane of `trustDomain`, whatever its address. */
export const meshConnector =
  ({
    address,
    trustDomain,
    credentials,
    clock,
    log,
  }: {
    readonly address: Address
    readonly trustDomain: string
    /** Of the moment. */
    readonly credentials: () => MeshCredentials
    readonly clock: Clock
    readonly log: Log
  }): (() => GrpcConnection) =>
  () => {
    const { keyPem, chainPem, trustPem } = credentials()
    const trust = { caPem: trustPem, serverId: controlPlaneId(trustDomain) }
    return connectGrpc({ address, tls: { trust, identity: { keyPem, chainPem } } }, { clock, log })
  }

/** Streams of Weft's own control plane. */
export const meshSource =
  (parts: {
    readonly connect: () => GrpcConnection
    readonly node: AdsNode
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
  }): AdsSource =>
  (receiver) =>
    createAdsClient({ ...receiver, ...parts })
