import {
  Http2ProtocolOptionsSchema,
  type Http2ProtocolOptions,
} from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import {
  HttpConnectionManager_InternalAddressConfigSchema as InternalAddressConfigSchema,
  RequestIDExtensionSchema,
  type HttpConnectionManager,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { UuidRequestIdConfigSchema } from '../../xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts'
import type { Http2Sizes, HttpTerminal } from '../config.ts'
import { decodeRanges } from './decode-chain-match.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** Extended CONNECT is always offered. */
const http2Fields = fieldNames(
  'allow_connect max_concurrent_streams initial_stream_window_size initial_connection_window_size',
)
// Nobody connects by a Unix socket.
const internalFields = fieldNames('cidr_ranges unix_sockets')

/** Envoy's own values. Source: `config.core.v3.Http2ProtocolOptions`. */
const defaults = { streams: 1024, streamWindowBytes: 16_777_216, connectionWindowBytes: 25_165_824 }

/** Who connects: how strangers are received (`edge`; absent: none come here), whose word about clients holds, and what HTTP/2 may cost. */
export function decodeEdge(
  manager: HttpConnectionManager,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'edge' | 'trustedHops' | 'internalAddresses' | 'http2'> {
  const { useRemoteAddress = false, preserveExternalRequestId, xffNumTrustedHops: trustedHops } = manager
  const internal = manager.internalAddressConfig
  const at = join(path, 'internal_address_config')
  if (internal !== undefined) knowOnly(InternalAddressConfigSchema, internal, internalFields, at, refused)
  checkRequestIds(manager, join(path, 'request_id_extension'), refused)
  const http2 = {
    ...(useRemoteAddress && defaults),
    ...decodeSizes(manager.http2ProtocolOptions, join(path, 'http2_protocol_options'), refused),
  }
  return {
    ...(useRemoteAddress && { edge: { keepRequestId: preserveExternalRequestId } }),
    ...(trustedHops > 0 && { trustedHops }),
    ...(internal && { internalAddresses: decodeRanges(internal.cidrRanges, join(at, 'cidr_ranges'), refused) }),
    ...(Object.keys(http2).length > 0 && { http2 }),
  }
}

/** Envoy's bounds. */
const leastWindowBytes = 65_535
const mostBytes = 2 ** 31 - 1

function decodeSizes(options: Http2ProtocolOptions | undefined, path: string, refused: Refusals): Http2Sizes {
  if (options === undefined) return {}
  knowOnly(Http2ProtocolOptionsSchema, options, http2Fields, path, refused)
  const size = (name: string, value: number | undefined, least: number): number | undefined => {
    if (value !== undefined && (value < least || value > mostBytes))
      refused.add(join(path, name), `expected ${least} to ${mostBytes}, got ${value}`)
    return value
  }
  const streams = size('max_concurrent_streams', options.maxConcurrentStreams, 1)
  const ofStream = size('initial_stream_window_size', options.initialStreamWindowSize, leastWindowBytes)
  const ofConnection = size('initial_connection_window_size', options.initialConnectionWindowSize, leastWindowBytes)
  return {
    ...(streams !== undefined && { streams }),
    ...(ofStream !== undefined && { streamWindowBytes: ofStream }),
    ...(ofConnection !== undefined && { connectionWindowBytes: ofConnection }),
  }
}

const extensionFields = fieldNames('typed_config')
// Both are about traces: see decode-tracing.ts.
const uuidFields = fieldNames('pack_trace_reason use_request_id_for_trace_sampling')

function checkRequestIds({ requestIdExtension }: HttpConnectionManager, path: string, refused: Refusals): void {
  if (requestIdExtension === undefined) return
  knowOnly(RequestIDExtensionSchema, requestIdExtension, extensionFields, path, refused)
  const any = requestIdExtension.typedConfig
  const uuid = any && open(any, UuidRequestIdConfigSchema, join(path, 'typed_config'), refused)
  if (uuid !== undefined) knowOnly(UuidRequestIdConfigSchema, uuid, uuidFields, join(path, 'typed_config'), refused)
}
