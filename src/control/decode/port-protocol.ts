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

/** What a port's name declares: "grpc", "grpc-orders", "http2-web", "tcp". Undefined: nothing. Source: Istio, "Protocol Selection". */
export function protocolOfName(name: string | undefined): AppProtocol | undefined {
  const [, prefix = ''] = /^([a-z0-9]+)(?:-|$)/.exec(name ?? '') ?? []
  return Object.hasOwn(byPrefix, prefix) ? byPrefix[prefix] : undefined
}
