import type { TransportSocket } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  ProxyProtocolConfigSchema,
  ProxyProtocolConfig_Version as Version,
} from '../../xds/gen/envoy/config/core/v3/proxy_protocol_pb.ts'
import { ProxyProtocolUpstreamTransportSchema } from '../../xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** A transport socket, and what it says before anything else. */
export interface ProxyTransport {
  readonly header: 'v1' | 'v2' | undefined
  /** What follows; undefined: plain text. */
  readonly inner: TransportSocket | undefined
  readonly innerPath: string
}

const transportFields = fieldNames('config transport_socket allow_unspecified_address')
const configFields = fieldNames('version')

/**
 * Takes the PROXY header off a transport socket, where it has one. An address that is none is always written as unknown, whether or not
 * `allow_unspecified_address` says so.
 */
export function decodeProxyTransport(
  socket: TransportSocket | undefined,
  path: string,
  refused: Refusals,
): ProxyTransport {
  const any = socket?.configType.case === 'typedConfig' ? socket.configType.value : undefined
  if (any?.typeUrl !== typeUrlOf(ProxyProtocolUpstreamTransportSchema))
    return { header: undefined, inner: socket, innerPath: path }
  const transport = open(any, ProxyProtocolUpstreamTransportSchema, path, refused)
  const innerPath = join(path, 'transport_socket')
  if (transport === undefined) return { header: undefined, inner: undefined, innerPath }
  knowOnly(ProxyProtocolUpstreamTransportSchema, transport, transportFields, path, refused)
  const { config, transportSocket } = transport
  if (config !== undefined) knowOnly(ProxyProtocolConfigSchema, config, configFields, join(path, 'config'), refused)
  if (transportSocket === undefined) refused.add(innerPath, 'is missing')
  return { header: config?.version === Version.V2 ? 'v2' : 'v1', inner: transportSocket, innerPath }
}
