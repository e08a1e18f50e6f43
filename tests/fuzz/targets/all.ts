import type { Target } from '../target.ts'
import { clientHello } from './client-hello.ts'
import { dnsQuery } from './dns.ts'
import { hpack } from './hpack.ts'
import { http1Replies } from './http1-client.ts'
import { http1Server } from './http1-server.ts'
import { http2Replies } from './http2-client.ts'
import { http2Server } from './http2-server.ts'
import { httpOpening } from './http-opening.ts'
import { loadReport } from './load-report.ts'
import { proxyHeader } from './proxy-header.ts'
import { traceContext } from './trace-context.ts'
import { xds } from './xds.ts'

/** Everything that reads what strangers send. */
export const targets: readonly Target[] = [
  http1Server,
  http1Replies,
  http2Server,
  http2Replies,
  hpack,
  clientHello,
  httpOpening,
  proxyHeader,
  dnsQuery,
  loadReport,
  traceContext,
  ...xds,
]
