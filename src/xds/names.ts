/** Names that both planes know: the contract that is not in any .proto. */

/** Cluster and route configuration of one service port: `<namespace>/<service>/<port>`. */
export const servicePortName = (namespace: string, service: string, port: number): string =>
  `${namespace}/${service}/${port}`

/** The opposite; undefined for a name of another form. */
export function parseServicePortName(name: string): { namespace: string; service: string; port: number } | undefined {
  const [namespace, service, port, ...rest] = name.split('/')
  if (!namespace || !service || !port || rest.length > 0 || !/^\d{1,5}$/.test(port)) return undefined
  return { namespace, service, port: Number(port) }
}

/** Listeners of a Gateway and their route configurations begin so. */
export const gatewayNames = 'gateway/'
/** SDS secrets with the certificates of gateways, over ADS: `secret/<namespace>/<name>`. */
export const certificateSecret = (secret: string): string => `secret/${secret}`
/** In a bucket id of the rate limit quota protocol: the name of the limit. */
export const quotaLimitKey = 'limit'
/**
 * The same for who has a budget of its own under the limit: the hash of an identity or of a header's value. Empty: these are all that were
 * heard of lately. A limit that tells keys apart, without this: there are others besides, and nothing is known of them.
 */
export const quotaKeyKey = 'key'
/** Of one limit an instance tells of so many. */
export const mostQuotaKeys: number = 1000
/** SDS secret with the mesh's trust bundle, over ADS. */
export const trustBundleSecret = 'weft-trust-bundle'
/** SDS secret with the certificate authorities that the control plane's machine believes, over ADS: for hosts outside of the mesh. */
export const systemTrustSecret = 'weft-system-trust'
/** SDS secret with the workload's own certificate; never over ADS: from the agent. */
export const ownCertificateSecret = 'weft-own-certificate'
/** Bootstrap cluster of the agent's SDS socket (Envoy); our sidecar takes it to mean "the identity in memory". */
export const agentCluster = 'weft-agent'
/** Metadata namespace (`filter_metadata` key) of all that xDS itself cannot say. */
export const weftMetadata = 'weft.dev'
/**
 * Under it in a Resource's own metadata: names of fields (as in the .proto) that a proxy which does not know them may leave out, and tells that
 * it did; what is not among them it refuses. So a control plane can be newer than its sidecars.
 */
export const mayLeaveOut = 'may_leave_out'
/** `filter_metadata` key by which `transport_socket_matches` are chosen. Source: Envoy. */
export const transportSocketMatchMetadata = 'envoy.transport_socket_match'
/** `filter_metadata` key of what load balancing goes by: subsets, `hash_key`. Source: Envoy. */
export const balancerMetadata = 'envoy.lb'
/** ALPN offered between sidecars on top of the real protocols: "I am the mesh". The negotiated one is always a standard name. */
export const meshAlpn = 'weft'
/** The same for raw TCP through mTLS. */
export const meshTcpAlpn = 'weft-tcp'
/** Name of the transport socket match for endpoints with a sidecar. */
export const mtlsTransport = 'mtls'
/** Clusters of the program's own ports begin so. */
export const programClusters = 'inbound/'
/** Cluster for hosts that are not in the mesh: resolved from the request's authority. */
export const passthroughCluster = 'outbound/passthrough'
/** Of connections to ports that nobody declared, where a machine's rules caught them; no configuration has it. */
export const inboundPassthroughCluster = 'inbound/passthrough'
/**
 * Reply header by which an inbound sidecar says how its program failed a request; believed only from a mesh peer over mTLS, stripped
 * everywhere else. `not-processed`: the program got no byte of it. `reset`: it broke off before it answered.
 */
export const upstreamFaultHeader = 'x-weft-upstream-fault'
/** Who the caller has proven to be, for programs and for whatever goes by headers: written anew by each hop. Source: Envoy. */
export const clientCertificateHeader = 'x-forwarded-client-cert'
/** node.metadata key with which our proxies say that they take NDS and `weft.dev` metadata. */
export const weftNodeMetadata = 'WEFT_VERSION'
/** node.metadata key with which a proxy of several processes says how many they are. */
export const workersNodeMetadata = 'WEFT_WORKERS'
/** The SPIFFE ID that the control plane's server certificate carries: what its clients check instead of a host name. */
export const controlPlaneId = (trustDomain: string): string => `spiffe://${trustDomain}/ns/weft-system/sa/control-plane`
