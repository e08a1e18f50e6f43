import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { create } from '@bufbuild/protobuf'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { UuidRequestIdConfigSchema } from '../../xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts'
import type { HttpTerminal } from '../config.ts'
import { decode, manager, problem, withFilters, type Manager } from './testing/decoding.ts'

const terminalOf = (more: Manager): HttpTerminal => {
  const terminal = decode('LDS', ListenerSchema, withFilters([manager(more)])).filterChains[0]?.terminal
  assert.ok(terminal?.kind === 'http')
  return terminal
}
const why = (more: Manager): string => problem('LDS', ListenerSchema, withFilters([manager(more)]))

test('who clients are: trusted proxies, and addresses from within', () => {
  const { edge, trustedHops, internalAddresses, http2 } = terminalOf({
    useRemoteAddress: true,
    xffNumTrustedHops: 2,
    internalAddressConfig: { unixSockets: true, cidrRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] },
    preserveExternalRequestId: true,
  })
  assert.deepEqual(edge, { keepRequestId: true })
  assert.equal(trustedHops, 2)
  assert.deepEqual(internalAddresses, [{ prefix: '10.0.0.0', bits: 8 }])
  assert.deepEqual(http2, { streams: 1024, streamWindowBytes: 16_777_216, connectionWindowBytes: 25_165_824 })
  assert.match(
    why({ internalAddressConfig: { cidrRanges: [{ addressPrefix: 'ten', prefixLen: 8 }] } }),
    /internal_address_config\.cidr_ranges\[0\]: expected an IP prefix, got "ten\/8"/,
  )
})

test('sizes of HTTP/2 hold for whoever connects, and have bounds', () => {
  assert.deepEqual(terminalOf({ http2ProtocolOptions: { maxConcurrentStreams: 7 } }).http2, { streams: 7 })
  assert.deepEqual(terminalOf({ useRemoteAddress: true, http2ProtocolOptions: { maxConcurrentStreams: 7 } }).http2, {
    streams: 7,
    streamWindowBytes: 16_777_216,
    connectionWindowBytes: 25_165_824,
  })
  assert.equal(terminalOf({ http2ProtocolOptions: {} }).http2, undefined)
  assert.match(
    why({ http2ProtocolOptions: { maxConcurrentStreams: 0, initialStreamWindowSize: 1000 } }),
    /max_concurrent_streams: expected 1 to 2147483647, got 0.*initial_stream_window_size: expected 65535/,
  )
})

test('request ids are UUIDs; other kinds are refused', () => {
  const uuid = packAny(
    UuidRequestIdConfigSchema,
    create(UuidRequestIdConfigSchema, { packTraceReason: false, useRequestIdForTraceSampling: false }),
  )
  terminalOf({ requestIdExtension: { typedConfig: uuid } })
  assert.match(
    why({ requestIdExtension: { typedConfig: { typeUrl: 'type.googleapis.com/a.B', value: new Uint8Array() } } }),
    /request_id_extension\.typed_config: is a type\.googleapis\.com\/a\.B/,
  )
})

test('what becomes of escaped slashes', () => {
  const kept = { normalize: false, mergeSlashes: false }
  assert.deepEqual(terminalOf({}).paths, kept)
  for (const [action, escapedSlashes] of [
    [EscapedSlashes.KEEP_UNCHANGED, 'keep'],
    [EscapedSlashes.REJECT_REQUEST, 'refuse'],
    [EscapedSlashes.UNESCAPE_AND_REDIRECT, 'redirect'],
    [EscapedSlashes.UNESCAPE_AND_FORWARD, 'decode'],
  ] as const)
    assert.deepEqual(terminalOf({ pathWithEscapedSlashesAction: action }).paths, { ...kept, escapedSlashes })
  // Of a newer API.
  const unknown = 9 as EscapedSlashes
  assert.match(why({ pathWithEscapedSlashesAction: unknown }), /path_with_escaped_slashes_action: 9 is not supported/)
})
