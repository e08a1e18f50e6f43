import { isIP } from 'node:net'
import type { Address } from '../../base/address.ts'
import { parseIp } from '../../base/ip-prefix.ts'

/** The connection that an upstream is told of. */
export interface ProxiedFrom {
  readonly remote: Address
  readonly local: Address
}

/**
 * The PROXY header that tells an upstream who asks. Addresses of unlike families are both written as IPv6 (an IPv4 one mapped); one that
 * is no IP address makes the header say that nothing is known. Source: HAProxy, "The PROXY protocol, versions 1 & 2", sections 2.1, 2.2.
 */
export function writeProxyHeader(version: 'v1' | 'v2', { remote, local }: ProxiedFrom): Buffer {
  const source = parseIp(remote.host)
  const destination = parseIp(local.host)
  if (source === undefined || destination === undefined)
    return version === 'v1'
      ? Buffer.from('PROXY UNKNOWN\r\n', 'latin1')
      : Buffer.concat([v2Start, Buffer.of(0x20, 0, 0, 0)])
  const both4 = source.length === 4 && destination.length === 4
  if (version === 'v1') {
    const hosts = both4
      ? `TCP4 ${source.join('.')} ${destination.join('.')}`
      : `TCP6 ${asIpv6(remote.host, source)} ${asIpv6(local.host, destination)}`
    return Buffer.from(`PROXY ${hosts} ${remote.port} ${local.port}\r\n`, 'latin1')
  }
  const addresses = both4 ? [source, destination] : [mapped(source), mapped(destination)]
  const head = Buffer.of(0x21, both4 ? 0x11 : 0x21, 0, both4 ? 12 : 36)
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(remote.port, 0)
  ports.writeUInt16BE(local.port, 2)
  return Buffer.concat([v2Start, head, ...addresses, ports])
}

const v2Start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Source: RFC 4291, section 2.5.5.2. */
const mapped = (bytes: Uint8Array): Uint8Array =>
  bytes.length === 16 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes)

const asIpv6 = (host: string, bytes: Uint8Array): string =>
  bytes.length === 16 && isIP(host) === 6 ? host.replace(/%.*$/, '') : `::ffff:${bytes.join('.')}`
