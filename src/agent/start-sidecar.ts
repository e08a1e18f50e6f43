import { parseAddress } from '../base/address.ts'
import { workersNodeMetadata } from '../xds/names.ts'
import type { Membership } from './membership.ts'
import type { AgentOptions } from './options.ts'
import { superviseSidecar, type Sidecar } from './sidecar-process.ts'
import type { SocketDesk } from './socket-desk.ts'

/** How each process is started. */
export type SidecarParts = Omit<Parameters<typeof superviseSidecar>[0], 'desk' | 'colleague'> & {
  readonly desk?: SocketDesk
}

/** One process, or several that are one; what only several need is loaded then. */
export async function startSidecar(
  { workers, service, version }: Pick<AgentOptions, 'workers' | 'service' | 'version'>,
  member: Membership,
  parts: SidecarParts,
): Promise<Sidecar> {
  const { desk, ...rest } = parts
  if (workers === 1) return superviseSidecar({ ...rest, ...(desk === undefined ? {} : { desk: desk.seat() }) })
  const [{ superviseWorkers }, { meshConnector, meshSource }] = await Promise.all([
    import('./workers/supervise-workers.ts'),
    import('../xds/mesh-source.ts'),
  ])
  const { clock, random, log } = parts
  const { joined, identity } = member
  let laterTrustPem = ''
  return superviseWorkers({
    ...parts,
    count: workers,
    trusted: (pem) => (laterTrustPem = pem),
    source: meshSource({
      connect: meshConnector({
        address: parseAddress(joined.xdsAddress) ?? { host: '', port: 0 },
        trustDomain: joined.trustDomain,
        credentials: () => ({ ...identity.value, trustPem: `${identity.value.trustBundlePem}\n${laterTrustPem}` }),
        clock,
        log: log.named('xds'),
      }),
      node: { id: joined.nodeId, cluster: service, version, metadata: { [workersNodeMetadata]: workers } },
      clock,
      random,
      log: log.named('xds'),
    }),
  })
}
