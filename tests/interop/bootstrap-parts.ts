// Pieces of a bootstrap that Envoy and we are both started with.

const endpointAt = (port: number) => ({
  endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
})

/** A cluster of one endpoint on loopback. */
export const clusterAt = (name: string, port: number, more: object = {}): object => ({
  name,
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpointAt(port)] }] },
  ...more,
})

/** For a cluster that speaks HTTP/2 without TLS. */
export const http2Upstream = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}
