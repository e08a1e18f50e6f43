import { parseAddress } from '../base/address.ts'
import { textLog } from '../base/log.ts'
import { parseSpiffeId } from '../base/spiffe-id.ts'
import { settable } from '../base/watchable.ts'
import { meshConnector, meshSource } from '../xds/mesh-source.ts'
import { trustBundleSecret } from '../xds/names.ts'
import type { SidecarParts } from './sidecar-parts.ts'
import type { Plan } from './running.ts'
import type { ToSidecar } from './sidecar-messages.ts'
import { createWorker } from './worker.ts'
import { createConfigFlow } from './xds/config-flow.ts'

/** As a workload of the mesh; a sentence when that cannot be. Asks for its configuration at once. */
export function planMesh(
  message: Extract<ToSidecar, { kind: 'start' }>,
  parts: SidecarParts,
): Plan | { readonly failed: string } {
  const { nodeId, xdsAddress, identity: first, workload, namespace, service, logLevel } = message
  const { clock, random } = parts
  const address = parseAddress(xdsAddress)
  const { spiffeId } = first
  const trustDomain = parseSpiffeId(spiffeId)?.trustDomain
  if (address === undefined) return { failed: `"${xdsAddress}" is no address of a control plane (host:port)` }
  if (trustDomain === undefined) return { failed: `"${spiffeId}" is no identity of the mesh` }

  const log = textLog({ part: 'sidecar', level: logLevel, write: parts.writeLog, wallMs: () => clock.wallMs() })
  const identity = settable(first)
  // The bundle of the start and the newest one by SDS: a root may be replaced while we run.
  let laterTrustPem = ''
  const connect = meshConnector({
    address,
    trustDomain,
    credentials: () => ({ ...identity.value, trustPem: `${identity.value.trustBundlePem}\n${laterTrustPem}` }),
    clock,
    log: log.named('xds'),
  })
  const worker = message.workers && createWorker(message.workers, parts)
  const flow = createConfigFlow({
    source:
      worker?.source ??
      meshSource({
        connect,
        node: { id: nodeId, cluster: service, version: parts.version },
        clock,
        random,
        log: log.named('xds'),
      }),
    ...(message.used === undefined ? {} : { used: message.used }),
    clock,
    log,
  })
  flow.config.watch(({ trust }) => (laterTrustPem = trust.get(trustBundleSecret) ?? laterTrustPem))
  return {
    flow,
    identity,
    self: { workload: workload.includes('/') ? workload : `${namespace}/${workload}`, namespace, service, spiffeId },
    worker,
    adminAddress: message.adminAddress,
    dnsAddress: message.dnsAddress,
    quotaSource: { connect, nodeId },
    connectInside: message.connectInside === true,
    standBy: message.standBy,
    log,
  }
}
