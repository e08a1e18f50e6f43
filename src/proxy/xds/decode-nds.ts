import { isIPv4 } from 'node:net'
import { fromBinary } from '@bufbuild/protobuf'
import { ServiceEntrySchema } from '../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import type { NamedService } from '../config.ts'
import type { Refusals } from './refusals.ts'

/** One entry of the name table. A protocol that we do not know is carried as bytes. */
export function decodeNds(bytes: Uint8Array, refused: Refusals): NamedService {
  const { namespace, name, ports, virtualIp, hosts } = fromBinary(ServiceEntrySchema, bytes)
  if (namespace === '' || name === '') refused.add('name', 'the namespace or the name is empty')
  if (virtualIp !== '' && !isIPv4(virtualIp)) refused.add('virtual_ip', 'is no IPv4 address')
  return {
    namespace,
    name,
    ports: ports.map(({ port, protocol, name: portName }) => ({
      port,
      protocol: protocol === 'http' ? 'http' : 'tcp',
      ...(protocol === 'tcp-routes' ? { routed: true as const } : {}),
      ...(portName === '' ? {} : { name: portName }),
    })),
    ...(virtualIp === '' ? {} : { virtualIp }),
    ...(hosts.length === 0 ? {} : { hosts }),
  }
}
