/**
 * What a port's program speaks. `http`: HTTP/1.1 towards the program; `http2` and `grpc`: HTTP/2 without TLS, known beforehand (RFC
 * 9113, section 3.3), whatever the caller speaks; `tcp`: bytes that nobody looks into; `udp`: datagrams, which only gateways take.
 */
export type AppProtocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'udp'

/** In the order in which people are told them. */
export const appProtocols: readonly [AppProtocol, ...AppProtocol[]] = ['http', 'http2', 'grpc', 'tcp', 'udp']

/** Those that are spoken over connections. */
export const connectedProtocols = ['http', 'http2', 'grpc', 'tcp'] as const

export const isAppProtocol = (text: string): text is AppProtocol => appProtocols.some((one) => one === text)

/** Its calls are seen one by one: routed, balanced and authorized each for itself. */
export const isHttp = (protocol: AppProtocol): boolean => protocol !== 'tcp' && protocol !== 'udp'

/** Not by connections. */
export const isUdp = (protocol: AppProtocol | undefined): boolean => protocol === 'udp'

/** Its program is asked in HTTP/2, and so is whatever stands before it. */
export const isHttp2 = (protocol: AppProtocol): boolean => protocol === 'http2' || protocol === 'grpc'
