import { formatAddress } from '../base/address.ts'
import type { Listeners } from './listeners.ts'
import type { joinMesh, Membership } from './membership.ts'
import type { AgentOptions } from './options.ts'
import type { superviseSidecar } from './sidecar-process.ts'

type JoinWish = Parameters<typeof joinMesh>[0]
type StartMessage = ReturnType<Parameters<typeof superviseSidecar>[0]['start']>

/** What the control plane is told of this workload. */
export function joinWish(
  options: AgentOptions,
  { listeners, instance }: { listeners: Listeners; instance: string },
): JoinWish {
  const { inbound, datagrams, outbound, admin } = listeners
  const ports = [...inbound.map(({ port, socket }) => ({ port, address: socket.address })), ...datagrams]
  const { service, namespace, serviceAccount = service, labels, locality = '', version } = options
  return {
    namespace,
    service,
    serviceAccount,
    labels: { ...labels },
    ports: ports.map(({ port, address }) => ({
      $typeName: 'weft.agent.v1.Port',
      name: port.name ?? '',
      servicePort: port.servicePort,
      targetPort: port.targetPort,
      protocol: port.protocol ?? '',
      inboundHost: address.host,
      inboundPort: address.port,
    })),
    outboundHost: outbound.address.host,
    outboundPort: outbound.address.port,
    // Wherever the rules stand: its connections come with where they were going.
    capture: listeners.dns === undefined ? 'explicit' : 'namespace',
    proxy: options.envoy === undefined ? 'weft' : 'envoy',
    locality,
    instance,
    version,
    adminAddress: formatAddress(admin.address),
    workers: options.workers,
  }
}

/** What a new sidecar is told. */
export function startMessage(
  { service }: AgentOptions,
  { joined, identity }: Membership,
  { admin, dns, isolated }: Listeners,
): StartMessage {
  return {
    kind: 'start',
    nodeId: joined.nodeId,
    xdsAddress: joined.xdsAddress,
    identity: identity.value,
    workload: joined.workload,
    namespace: joined.namespace,
    service,
    used: joined.used,
    adminAddress: admin.address,
    ...(dns === undefined ? {} : { dnsAddress: dns.address }),
    ...(isolated ? { connectInside: true } : {}),
    logLevel: 'warn',
  }
}
