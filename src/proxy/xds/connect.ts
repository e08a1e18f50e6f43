import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { connectGrpc, type GrpcConnection } from '../../xds/grpc-client.ts'
import { controlPlaneId } from '../../xds/names.ts'

/** A connection to the control plane over mTLS: it must be the control plane of `trustDomain`, whatever its address. */
export const connectControlPlane = (
  {
    address,
    trustDomain,
    trustPem,
    keyPem,
    chainPem,
  }: {
    readonly address: Address
    readonly trustDomain: string
    readonly trustPem: string
    readonly keyPem: string
    readonly chainPem: string
  },
  parts: { clock: Clock; log: Log },
): GrpcConnection =>
  connectGrpc(
    {
      address,
      tls: { trust: { caPem: trustPem, serverId: controlPlaneId(trustDomain) }, identity: { keyPem, chainPem } },
    },
    parts,
  )
