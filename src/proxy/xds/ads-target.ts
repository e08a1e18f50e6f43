import { isSocketPath } from '../../base/address.ts'
import type { GrpcTarget } from '../../xds/grpc-client.ts'
import { trustDomainsIn } from '../../base/trust-domains.ts'
import type { TrustSource } from '../config.ts'
import type { GivenResources } from './resources.ts'

/** Where servers of configuration stand. */
export interface Servers {
  readonly given: GivenResources
}

/** The first endpoint of a server's cluster. The decoder has made sure of the cluster, and `serverProblem` of the rest. */
export function serverTarget(name: string, { given }: Servers): GrpcTarget {
  const cluster = given.CDS.get(name)
  const address = cluster?.inline.endpoints[0]?.address ?? { host: '', port: 0 }
  if (isSocketPath(address.host)) return { unix: address.host }
  const secure = cluster?.transports.get('')
  if (secure === undefined) return { address, tls: undefined }
  const { certificate } = secure
  const pair =
    typeof certificate !== 'object'
      ? undefined
      : 'secret' in certificate
        ? given.SDS.get(certificate.secret)?.certificate
        : certificate
  const trust = { caPem: pemOf(secure.trust, given), peer: secure.peer, serverName: secure.sni }
  return { address, tls: { trust, identity: pair } }
}

const pemOf = (trust: TrustSource, { SDS }: GivenResources): string =>
  'pem' in trust ? trust.pem : (SDS.get(trust.secret)?.trustPem ?? '')

/** Why this cluster cannot be that of a server of configuration; undefined if it can. What would come by ADS or SDS is not there yet when it is called. */
export function serverProblem(name: string, { given }: Servers): string | undefined {
  const cluster = given.CDS.get(name)
  if (cluster === undefined) return `${name} is no cluster of static_resources`
  if (cluster.inline.endpoints.length === 0) return `the cluster ${name} has no endpoint in static_resources`
  if (cluster.upstreamProtocol !== 'h2')
    return `the cluster ${name} does not say http2_protocol_options, which gRPC needs`
  const secure = cluster.transports.get('')
  const { host } = cluster.inline.endpoints[0]?.address ?? { host: '' }
  if (host.startsWith('@')) return `the cluster ${name} leads to ${host}, and not to the path of a socket`
  if (isSocketPath(host) && secure !== undefined) return `the cluster ${name} has TLS on a Unix socket`
  if (secure?.certificate === 'own') return `the cluster ${name} shows a certificate of an agent, and there is none`
  if (secure !== undefined && trustDomainsIn(pemOf(secure.trust, given)) !== undefined)
    return `the cluster ${name} has a custom_validator_config, which is not supported towards a server of configuration`
  for (const source of [secure?.certificate, secure?.trust])
    if (typeof source === 'object' && 'secret' in source && !given.SDS.has(source.secret))
      return `the cluster ${name} needs the secret ${source.secret}, which is not in static_resources`
  return undefined
}
