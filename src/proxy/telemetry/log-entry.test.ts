import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary, toJson, type JsonObject } from '@bufbuild/protobuf'
import {
  StreamAccessLogsMessage_HTTPAccessLogEntriesSchema,
  StreamAccessLogsMessage_TCPAccessLogEntriesSchema,
} from '../../xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import type { LogEntry } from '../config.ts'
import type { Known, KnownEnd } from '../format/known.ts'
import { headerField } from '../http/headers.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { compileEntry } from './log-entry.ts'

const httpEntry: LogEntry & { kind: 'http' } = {
  kind: 'http',
  requestHeaders: ['x-two', ':method', 'x-gone'],
  responseHeaders: ['x-reply', ':status'],
  responseTrailers: ['grpc-status'],
  tags: [
    { tag: 'plan', kind: 'constant', value: 'gold' },
    { tag: 'user', kind: 'request-header', name: 'x-user', otherwise: 'nobody' },
    { tag: 'none', kind: 'request-header', name: 'x-gone', otherwise: '' },
  ],
}

/** As JSON, by the schemas that Envoy publishes. */
function readHttp(known: Known, entry: LogEntry = httpEntry): JsonObject {
  const schema = StreamAccessLogsMessage_HTTPAccessLogEntriesSchema
  const json = toJson(schema, fromBinary(schema, compileEntry(entry)(known)))
  return (json as { logEntry: JsonObject[] }).logEntry[0] ?? {}
}

function readTcp(known: Known): JsonObject {
  const schema = StreamAccessLogsMessage_TCPAccessLogEntriesSchema
  const json = toJson(schema, fromBinary(schema, compileEntry({ kind: 'tcp', tags: [] })(known)))
  return (json as { logEntry: JsonObject[] }).logEntry[0] ?? {}
}

const socket = (address: string, portValue: number) => ({ socketAddress: { address, portValue } })
const peer = {
  remote: { host: '::ffff:192.0.2.1', port: 1234 },
  local: { host: '192.0.2.2', port: 80 },
  principal: undefined,
  tls: false,
}
const end: KnownEnd = {
  beganMs: 1_700_000_000_000.25,
  endedMs: 1_700_000_000_020.5,
  durationMs: 20.25,
  status: 200,
  fault: undefined,
  flags: [],
  bytesReceived: 12,
  bytesSent: 500,
  attempts: 2,
  trailers: [headerField('grpc-status', '0')],
  detail: {
    requestEndedMs: 1001,
    sentMs: 1002,
    repliedMs: 1010,
    answeredMs: 1010.5,
    replyEndedMs: 1019,
    routeName: 'some',
    upstreamLocal: { host: '127.0.0.1', port: 9 },
    authorized: { result: 'allowed', policy: 'readers' },
  },
  logType: 'DownstreamEnd',
}

test('a call: all that is known of it, by the schemas that Envoy publishes', () => {
  const call = makeCall({
    method: 'POST',
    path: '/new?q=1',
    authority: 'shop.example',
    startedMs: 1000,
    peer,
    headers: {
      'x-user': 'ann',
      'x-two': 'grÃ¼Ã\u009fe',
      'user-agent': 'tester',
      referer: 'http://r/',
      'x-forwarded-for': '10.1.1.1',
      'x-request-id': 'r1',
    },
  })
  call.headers = [...call.headers, headerField('x-two', 'b')]
  call.client = { host: '10.1.1.1', port: 0 }
  call.trace.askedPath = '/old'
  const trace = { ...call.trace, cluster: 'program', endpoint: { host: '10.0.0.1', port: 8080 } }
  const reply = { status: 200, headers: [headerField('x-reply', 'r')] }
  assert.deepEqual(readHttp({ peer, call, trace: { ...trace, askedPath: '/old' } as Known['trace'], reply, end }), {
    commonProperties: {
      downstreamRemoteAddress: socket('10.1.1.1', 0),
      downstreamLocalAddress: socket('192.0.2.2', 80),
      downstreamDirectRemoteAddress: socket('192.0.2.1', 1234),
      startTime: '2023-11-14T22:13:20.000250Z',
      duration: '0.020250s',
      timeToLastRxByte: '0.001s',
      timeToFirstUpstreamTxByte: '0.002s',
      timeToLastUpstreamTxByte: '0.002s',
      timeToFirstUpstreamRxByte: '0.010s',
      timeToLastUpstreamRxByte: '0.019s',
      timeToFirstDownstreamTxByte: '0.010500s',
      timeToLastDownstreamTxByte: '0.020250s',
      upstreamRemoteAddress: socket('10.0.0.1', 8080),
      upstreamLocalAddress: socket('127.0.0.1', 9),
      upstreamCluster: 'program',
      routeName: 'some',
      metadata: {
        filterMetadata: {
          'envoy.filters.http.rbac': { enforced_engine_result: 'allowed', enforced_effective_policy_id: 'readers' },
        },
      },
      upstreamRequestAttemptCount: 2,
      customTags: { plan: 'gold', user: 'ann' },
      streamId: 'r1',
      accessLogType: 'DownstreamEnd',
    },
    protocolVersion: 'HTTP11',
    request: {
      requestMethod: 'POST',
      scheme: 'http',
      authority: 'shop.example',
      path: '/new?q=1',
      userAgent: 'tester',
      referer: 'http://r/',
      forwardedFor: '10.1.1.1',
      requestId: 'r1',
      originalPath: '/old',
      requestHeadersBytes: String(callBytes),
      requestBodyBytes: '12',
      requestHeaders: { 'x-two': 'grüße,b', ':method': 'POST' },
    },
    response: {
      responseCode: 200,
      responseHeadersBytes: '18',
      responseBodyBytes: '500',
      responseHeaders: { 'x-reply': 'r', ':status': '200' },
      responseTrailers: { 'grpc-status': '0' },
      responseCodeDetails: 'via_upstream',
    },
  })
})

/** Names and values of its head. */
const callBytes =
  ':methodPOST:schemehttp:path/new?q=1:authorityshop.example'.length +
  'x-userannx-twogrÃ¼Ã\u009fex-twobuser-agenttesterrefererhttp://r/'.length +
  'x-forwarded-for10.1.1.1x-request-idr1'.length

test('a call that nobody answered, and one that failed: what did not happen is not told', () => {
  const call = makeCall({ startedMs: 1000, peer })
  const gone = readHttp({
    peer,
    call,
    trace: { cluster: 'program' },
    end: {
      ...end,
      status: 0,
      attempts: 0,
      flags: ['DC'],
      fault: { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'x' },
      detail: { answeredMs: 1001 },
    },
  })
  const common = gone['commonProperties'] as JsonObject
  assert.deepEqual(common['responseFlags'], { downstreamConnectionTermination: true })
  for (const absent of ['timeToFirstDownstreamTxByte', 'upstreamCluster', 'upstreamRemoteAddress', 'routeName'])
    assert.equal(common[absent], undefined, absent)
  assert.equal((gone['response'] as JsonObject)['responseCode'], undefined)
  const endpoint = { host: '10.0.0.1', port: 1 }
  const refused = readHttp({
    peer,
    call,
    trace: { cluster: 'program', endpoint },
    end: {
      ...end,
      status: 503,
      flags: ['UF', 'URX', 'DO'],
      fault: { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint, cause: 'ECONNREFUSED' },
    },
  })['commonProperties'] as JsonObject
  assert.deepEqual(refused['responseFlags'], { upstreamConnectionFailure: true, upstreamRetryLimitExceeded: true })
  assert.equal(refused['upstreamTransportFailureReason'], 'delayed connect error: Connection refused')
})

test('a raw connection, told as such and as a call is', () => {
  const known: Known = {
    peer,
    trace: { cluster: 'raw', endpoint: { host: '/run/sock', port: 0 } },
    end: { ...end, status: 0, attempts: 1, trailers: undefined, detail: undefined, logType: 'TcpConnectionEnd' },
  }
  const { commonProperties, ...own } = readTcp(known)
  const { streamId, ...common } = commonProperties as JsonObject
  assert.match(JSON.stringify(streamId), /^"[0-9a-f-]{36}"$/)
  assert.deepEqual(common, {
    downstreamRemoteAddress: socket('192.0.2.1', 1234),
    downstreamLocalAddress: socket('192.0.2.2', 80),
    downstreamDirectRemoteAddress: socket('192.0.2.1', 1234),
    startTime: '2023-11-14T22:13:20.000250Z',
    duration: '0.020250s',
    upstreamRemoteAddress: { pipe: { path: '/run/sock' } },
    upstreamCluster: 'raw',
    upstreamRequestAttemptCount: 1,
    downstreamWireBytesSent: '500',
    downstreamWireBytesReceived: '12',
    upstreamWireBytesSent: '12',
    upstreamWireBytesReceived: '500',
    accessLogType: 'TcpConnectionEnd',
  })
  assert.deepEqual(own, { connectionProperties: { receivedBytes: '12', sentBytes: '500' } })
  const asCall = readHttp(known)
  assert.deepEqual(asCall['request'], { requestBodyBytes: '12' })
  assert.deepEqual(asCall['response'], { responseBodyBytes: '500' })
  assert.deepEqual((asCall['commonProperties'] as JsonObject)['customTags'], { plan: 'gold', user: 'nobody' })
})

test('TLS: what was agreed on; a name that was asked for without it', () => {
  const tls = (more: object): unknown =>
    (readTcp({ peer: { ...peer, ...more }, trace: {}, end })['commonProperties'] as JsonObject)['tlsProperties']
  assert.equal(tls({}), undefined)
  assert.deepEqual(tls({ serverName: 'one.example' }), { tlsSniHostname: 'one.example' })
  assert.deepEqual(
    tls({ tls: true, secured: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' }, serverName: 'a' }),
    {
      tlsVersion: 'TLSv1_3',
      tlsCipherSuite: 0x1301,
      tlsSniHostname: 'a',
      localCertificateProperties: {},
      peerCertificateProperties: {},
    },
  )
  assert.deepEqual(tls({ tls: true, secured: { version: 'SSLv3', cipher: 'nobody knows' } }), {
    tlsCipherSuite: 0xffff,
    localCertificateProperties: {},
    peerCertificateProperties: {},
  })
})
