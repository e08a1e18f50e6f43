import type { CommandAtEnd, CommandSoFar, PlainCommand } from '../config.ts'

/**
 * Where a value is made: for a header of a request or a reply, or for a line of the log of calls, of raw connections, of UDP sessions, or of
 * all connections of a listener.
 */
export type ValuePlace = 'request' | 'response' | 'call' | 'connection' | 'session' | 'listener'

/** Of the caller and the connection that it came on. */
const ofPeer: Readonly<Record<string, CommandSoFar>> = {
  DOWNSTREAM_REMOTE_ADDRESS: 'remote-address',
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: 'remote-host',
  DOWNSTREAM_REMOTE_PORT: 'remote-port',
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: 'direct-remote-address',
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: 'direct-remote-host',
  DOWNSTREAM_DIRECT_REMOTE_PORT: 'direct-remote-port',
  DOWNSTREAM_LOCAL_ADDRESS: 'local-address',
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: 'local-host',
  DOWNSTREAM_LOCAL_PORT: 'local-port',
  DOWNSTREAM_PEER_URI_SAN: 'peer-uri',
  DOWNSTREAM_PEER_DNS_SAN: 'peer-dns',
  DOWNSTREAM_PEER_IP_SAN: 'peer-ip',
  DOWNSTREAM_PEER_EMAIL_SAN: 'peer-email',
  DOWNSTREAM_PEER_SUBJECT: 'peer-subject',
  DOWNSTREAM_PEER_ISSUER: 'peer-issuer',
  DOWNSTREAM_PEER_SERIAL: 'peer-serial',
  DOWNSTREAM_PEER_FINGERPRINT_256: 'peer-sha256',
  DOWNSTREAM_PEER_FINGERPRINT_1: 'peer-sha1',
  DOWNSTREAM_PEER_CERT: 'peer-certificate',
  REQUESTED_SERVER_NAME: 'server-name',
  CONNECTION_ID: 'connection-id',
}

/** Of the call, before there is a reply. */
const ofRequest: Readonly<Record<string, CommandSoFar>> = { PROTOCOL: 'protocol' }

/** Once there is a reply. */
const ofReply: Readonly<Record<string, CommandSoFar>> = {
  RESPONSE_CODE: 'response-code',
  UPSTREAM_CLUSTER: 'cluster',
  UPSTREAM_HOST: 'upstream-host',
}

/** Noted where there is a log. */
const ofTls: Readonly<Record<string, CommandSoFar>> = {
  DOWNSTREAM_TLS_VERSION: 'tls-version',
  DOWNSTREAM_TLS_CIPHER: 'tls-cipher',
}

/** Of anything that is over. */
const ofAnyEnd: Readonly<Record<string, CommandAtEnd>> = {
  DURATION: 'duration',
  BYTES_RECEIVED: 'bytes-received',
  BYTES_SENT: 'bytes-sent',
  RESPONSE_FLAGS: 'flags',
  RESPONSE_FLAGS_LONG: 'long-flags',
  CONNECTION_TERMINATION_DETAILS: 'termination-details',
  UNIQUE_ID: 'unique-id',
  ACCESS_LOG_TYPE: 'log-type',
}

/** Where an upstream was looked for. */
const ofUpstream: Readonly<Record<string, PlainCommand>> = {
  UPSTREAM_CLUSTER: 'cluster',
  UPSTREAM_CLUSTER_RAW: 'cluster',
  UPSTREAM_HOST: 'upstream-host',
  UPSTREAM_REQUEST_ATTEMPT_COUNT: 'attempts',
  UPSTREAM_TRANSPORT_FAILURE_REASON: 'transport-failure',
}

/** Where a connection to it was opened. */
const ofUpstreamConnection: Readonly<Record<string, CommandAtEnd>> = {
  UPSTREAM_LOCAL_ADDRESS: 'upstream-local-address',
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: 'upstream-local-host',
  UPSTREAM_LOCAL_PORT: 'upstream-local-port',
}

/** Only calls have them; where there are none, that is known too. */
const ofCalls: Readonly<Record<string, PlainCommand>> = {
  RESPONSE_CODE: 'response-code',
  RESPONSE_CODE_DETAILS: 'response-details',
  ROUTE_NAME: 'route',
  REQUEST_DURATION: 'request-duration',
  RESPONSE_DURATION: 'response-duration',
  RESPONSE_TX_DURATION: 'response-tx-duration',
}

const ofConnection = {
  ...ofPeer,
  ...ofTls,
  ...ofAnyEnd,
  ...ofUpstream,
  ...ofCalls,
  PROTOCOL: 'protocol',
  STREAM_ID: 'stream-id',
} as const

/** The commands without an argument that are known in each place. Source: Envoy, "Access logging", "Command Operators". */
export const plainCommands: Readonly<Record<ValuePlace, Readonly<Record<string, PlainCommand>>>> = {
  request: { ...ofPeer, ...ofRequest },
  response: { ...ofPeer, ...ofRequest, ...ofReply },
  call: {
    ...ofConnection,
    ...ofUpstreamConnection,
    UPSTREAM_PROTOCOL: 'upstream-protocol',
  },
  connection: {
    ...ofConnection,
    ...ofUpstreamConnection,
    UPSTREAM_PROTOCOL: 'upstream-protocol',
  },
  session: ofConnection,
  // What became of a connection that a chain has taken stands in that chain's own log.
  listener: { ...ofPeer, ...ofTls, ...ofAnyEnd, ...ofCalls },
}

/** What UDP sessions tell as dynamic metadata. Source: Envoy, udp_proxy, "Access log". */
export const sessionMetadata: Readonly<Record<string, PlainCommand>> = {
  'udp.proxy.session:cluster_name': 'cluster',
  'udp.proxy.session:bytes_received': 'bytes-received',
  'udp.proxy.session:bytes_sent': 'bytes-sent',
}
