import { parseAddress, type Address } from '../base/address.ts'
import { parseIp } from '../base/ip-prefix.ts'
import type { Cluster } from './config.ts'
import { headerValue, type Headers } from './http/headers.ts'
import type { Peer } from './http/service.ts'

/**
 * Where a call to a cluster of discovery `original-destination` goes: where a header says, if the cluster looks at one that holds an address,
 * else where its connection was for; undefined: nowhere, for it was for this proxy itself. Source: Envoy, "Original destination".
 */
export function originalPlace(
  { originalDestination: { header, port } = {} }: Pick<Cluster, 'originalDestination'>,
  { restored }: Peer,
  headers: Headers,
): Address | undefined {
  const told = header === undefined ? undefined : headerValue(headers, header)
  const place = (told === undefined ? undefined : ipAddress(told)) ?? restored
  return place === undefined || port === undefined ? place : { ...place, port }
}

/** An IP address with its port: names are not looked up. */
function ipAddress(text: string): Address | undefined {
  const address = parseAddress(text)
  return address !== undefined && parseIp(address.host) !== undefined ? address : undefined
}
