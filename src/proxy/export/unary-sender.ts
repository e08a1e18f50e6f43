import { grpcStatus } from '../../base/grpc.ts'
import type { World } from '../along-route.ts'
import { askCluster } from '../ask-cluster.ts'
import type { Collector } from '../config.ts'
import type { Sender } from './exporters.ts'
import { faultSentence } from '../http/fault.ts'
import { headerField, type Headers } from '../http/headers.ts'
import type { Shared } from '../shared.ts'
import { frameExport } from '../xds/frame-export.ts'

/** What exports need of the proxy. */
export interface ExportParts {
  readonly ask: Pick<Shared, 'upstream' | 'wheel' | 'clock'>
  /** The newest configuration. */
  readonly current: () => World
}

/** How a batch is written. */
export interface BatchForm {
  /** Over HTTP. */
  readonly contentType: string
  readonly encode: (batch: readonly Buffer[]) => Buffer
}

/** More than a collector has any reason to say. */
const limitBytes = 64 * 1024

/** Each batch is a call of its own, of gRPC or HTTP, that the collector answers. */
export function createUnarySender(
  collector: Collector,
  { contentType, encode }: BatchForm,
  { ask, current }: ExportParts,
): Sender {
  const { cluster, protocol, path, authority, timeoutMs } = collector
  const isGrpc = protocol === 'grpc'
  const head = { method: 'POST', path, authority, headers: exportHeaders(collector, contentType), limitBytes }
  return {
    async send(batch) {
      const message = encode(batch)
      const body = isGrpc ? frameExport(message) : message
      const answer = await askCluster({ cluster, head, body, timeoutMs }, current(), ask)
      if (typeof answer === 'string') return answer
      if ('kind' in answer) return faultSentence(answer)
      if (!isGrpc) return answer.status >= 200 && answer.status < 300 ? undefined : `status ${answer.status}`
      return answer.status === 200 && answer.grpcStatus === grpcStatus.ok
        ? undefined
        : `status ${answer.status}, grpc-status ${answer.grpcStatus ?? 'none'}`
    },
    finish: () => Promise.resolve(),
    close() {},
  }
}

/** What exports to a collector say in their heads; `contentType`: over HTTP. */
export const exportHeaders = ({ protocol, headers }: Collector, contentType: string): Headers => [
  ...(protocol === 'grpc'
    ? [headerField('te', 'trailers'), headerField('content-type', 'application/grpc')]
    : [headerField('content-type', contentType)]),
  headerField('user-agent', 'weft'),
  ...headers.map(([name, value]) => headerField(name, value)),
]
