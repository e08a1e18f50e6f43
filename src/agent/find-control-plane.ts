import net from 'node:net'
import path from 'node:path'
import { formatAddress, unmapped } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import { parseJoinToken } from '../ca/join-token.ts'
import type { GrpcTarget } from '../xds/grpc-target.ts'
import { controlPlaneId } from '../xds/names.ts'
import type { IdentityMaterial } from '../proxy/sidecar-messages.ts'
import { refused, type AgentOptions, type Refused } from './options.ts'

/** How this agent reaches its control plane. */
export interface ControlPlaneDoor {
  /** For people. */
  readonly name: string
  /** Goes with a Join; empty on the local socket. */
  readonly secret: string
  readonly local: boolean
  readonly joinTarget: GrpcTarget
  /** For Session and Sign, once there is an identity: over the network the certificate speaks for us. */
  memberTarget(identity: IdentityMaterial, trustDomain: string): GrpcTarget
}

/** The Unix socket in the data directory, or what a join token says. */
export function findControlPlane({
  dataDir,
  tokenText,
}: Pick<AgentOptions, 'dataDir' | 'tokenText'>): ControlPlaneDoor | Refused {
  if (tokenText === undefined) {
    const target = { unix: path.join(dataDir, 'agent.sock') }
    return { name: target.unix, secret: '', local: true, joinTarget: target, memberTarget: () => target }
  }
  const token = parseJoinToken(tokenText)
  if ('refused' in token) return refused(token.refused)
  const { address, rootHash, secret } = token
  return {
    name: formatAddress(address),
    secret,
    local: false,
    joinTarget: { address, tls: { trust: { rootHash } } },
    memberTarget: ({ keyPem, chainPem, trustBundlePem }, trustDomain) => ({
      address,
      tls: { trust: { caPem: trustBundlePem, serverId: controlPlaneId(trustDomain) }, identity: { keyPem, chainPem } },
    }),
  }
}

const connectTimeoutMs = 5000

/** The address of ours from which `target` is reached, or why it is not. */
export function sourceAddress(
  target: GrpcTarget,
  clock: Clock,
): Promise<{ readonly kind?: undefined; readonly host: string } | { readonly unreachable: string }> {
  if ('unix' in target) return Promise.resolve({ host: '127.0.0.1' })
  return new Promise((resolve) => {
    const socket = net.connect(target.address)
    const done = (result: { host: string } | { unreachable: string }): void => {
      late.cancel()
      socket.destroy()
      resolve(result)
    }
    const late = clock.after(connectTimeoutMs, () =>
      done({ unreachable: `no connection within ${connectTimeoutMs} ms` }),
    )
    socket.once('connect', () => done({ host: unmapped(socket.localAddress ?? '127.0.0.1') }))
    socket.on('error', (error) => done({ unreachable: error.message }))
  })
}
