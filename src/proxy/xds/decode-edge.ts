import { Http2ProtocolOptionsSchema } from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import type { HttpConnectionManager } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Edge } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** Extended CONNECT is always offered. */
const inside = fieldNames('allow_connect')
/** Among our own we know better how much room there must be. */
const outside = fieldNames(
  'allow_connect max_concurrent_streams initial_stream_window_size initial_connection_window_size',
)

/** Envoy's own values. Source: `config.core.v3.Http2ProtocolOptions`. */
const defaults = { streams: 1024, streamWindowBytes: 16_777_216, connectionWindowBytes: 25_165_824 }

/** How strangers are received; undefined: none come here. */
export function decodeEdge(
  { useRemoteAddress = false, preserveExternalRequestId, http2ProtocolOptions: http2 }: HttpConnectionManager,
  path: string,
  refused: Refusals,
): Edge | undefined {
  const at = join(path, 'http2_protocol_options')
  if (http2 !== undefined) knowOnly(Http2ProtocolOptionsSchema, http2, useRemoteAddress ? outside : inside, at, refused)
  if (!useRemoteAddress) return undefined
  return {
    keepRequestId: preserveExternalRequestId,
    streams: http2?.maxConcurrentStreams ?? defaults.streams,
    streamWindowBytes: http2?.initialStreamWindowSize ?? defaults.streamWindowBytes,
    connectionWindowBytes: http2?.initialConnectionWindowSize ?? defaults.connectionWindowBytes,
  }
}
