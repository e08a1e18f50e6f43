import { fromBinary } from '@bufbuild/protobuf'
import { ServiceEntrySchema } from '../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import type { NamedService } from '../config.ts'
import type { Refusals } from './refusals.ts'

/** One entry of the name table. A protocol that we do not know is carried as bytes. */
export function decodeNds(bytes: Uint8Array, refused: Refusals): NamedService {
  const { namespace, name, ports } = fromBinary(ServiceEntrySchema, bytes)
  if (namespace === '' || name === '') refused.add('name', 'the namespace or the name is empty')
  return {
    namespace,
    name,
    ports: ports.map(({ port, protocol }) => ({ port, protocol: protocol === 'http' ? 'http' : 'tcp' })),
  }
}
