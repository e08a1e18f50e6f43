/** The resource types that travel over ADS, by their short names. Source: Envoy, xDS protocol, "Resource types". */
export const typeUrls = {
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  SDS: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  /** Our name table, for Weft proxies only. */
  NDS: 'type.googleapis.com/weft.discovery.v1.ServiceEntry',
} as const

export type XdsType = keyof typeof typeUrls

/** Undefined for a type that we do not serve. */
export function xdsTypeOf(typeUrl: string): XdsType | undefined {
  return (Object.keys(typeUrls) as XdsType[]).find((type) => typeUrls[type] === typeUrl)
}
