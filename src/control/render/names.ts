import type { MessageInitShape } from '@bufbuild/protobuf'
import { isHttp, isUdp } from '../../base/app-protocol.ts'
import type { ServiceEntrySchema } from '../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import type { Service } from '../model/model.ts'
import { hasStreams } from './service-streams.ts'

/** Name of a service's entry in the name table. */
export const serviceEntryName = ({ namespace, name }: Pick<Service, 'namespace' | 'name'>): string =>
  `${namespace}/${name}`

/** One service as every Weft proxy knows it, whether it uses it or not. */
export const renderServiceEntry = (
  { namespace, name, ports, external }: Service,
  virtualIp: string | undefined,
): MessageInitShape<typeof ServiceEntrySchema> => ({
  namespace,
  name,
  // Sidecars have no way for datagrams: to them such a port is not there.
  ports: ports
    .filter(({ protocol }) => !isUdp(protocol))
    .map((one) => ({
      name: one.name,
      port: one.port,
      protocol: isHttp(one.protocol) ? 'http' : hasStreams(one) ? 'tcp-routes' : 'tcp',
    })),
  virtualIp: virtualIp ?? '',
  hosts: [...(external?.hosts ?? [])],
})
