import type { AppProtocol } from '../../base/app-protocol.ts'

/** What a Service's `appProtocol` may say. Source: Kubernetes KEP-3726 for those with a prefix, Istio "Protocol Selection" for the others. */
const byAppProtocol: Readonly<Record<string, AppProtocol>> = {
  http: 'http',
  'kubernetes.io/http': 'http',
  'kubernetes.io/ws': 'http',
  http2: 'http2',
  h2c: 'http2',
  'kubernetes.io/h2c': 'http2',
  grpc: 'grpc',
  'grpc-web': 'grpc',
  tcp: 'tcp',
}

/** Undefined: it says something that is not known. */
export const protocolOfAppProtocol = (appProtocol: string): AppProtocol | undefined =>
  Object.hasOwn(byAppProtocol, appProtocol) ? byAppProtocol[appProtocol] : undefined

const byPrefix: Readonly<Record<string, AppProtocol>> = {
  http: 'http',
  http2: 'http2',
  h2c: 'http2',
  grpc: 'grpc',
  tcp: 'tcp',
}

/** "https" of "https-1"; "" where there is none. */
export const prefixOf = (name: string | undefined): string => /^([a-z0-9]+)(?:-|$)/.exec(name ?? '')?.[1] ?? ''

/** What a port's name declares: "grpc", "grpc-orders", "http2-web", "tcp". Undefined: nothing. Source: Istio, "Protocol Selection". */
export function protocolOfName(name: string | undefined): AppProtocol | undefined {
  const prefix = prefixOf(name)
  return Object.hasOwn(byPrefix, prefix) ? byPrefix[prefix] : undefined
}

/** What is inside of TLS that a port's program speaks itself, by appProtocol (in any case) or prefix; undefined: it says no such thing. */
export function insideOwnTls(said: string): AppProtocol | undefined {
  switch (said.toLowerCase()) {
    case 'https':
    case 'kubernetes.io/wss':
      return 'http'
    case 'tls':
      return 'tcp'
    default:
      return undefined
  }
}
