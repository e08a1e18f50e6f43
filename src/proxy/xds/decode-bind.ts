import {
  BindConfigSchema,
  ExtraSourceAddressSchema,
  SocketAddressSchema,
  type BindConfig,
  type SocketAddress,
} from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import type { Address } from '../../base/address.ts'
import type { Cluster } from '../config.ts'
import { ipAddress } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const bindFields = fieldNames('source_address extra_source_addresses additional_source_addresses')
const extraFields = fieldNames('address')
const addressFields = fieldNames('protocol address port_value')

/** Where a cluster's connections come from. Source: envoy.config.core.v3.BindConfig. */
export function decodeBind(
  bind: BindConfig | undefined,
  path: string,
  refused: Refusals,
): Pick<Cluster, 'sourceAddresses'> {
  if (bind === undefined) return {}
  knowOnly(BindConfigSchema, bind, bindFields, path, refused)
  const one = (address: SocketAddress | undefined, at: string): readonly Address[] => {
    if (address === undefined) return []
    knowOnly(SocketAddressSchema, address, addressFields, at, refused)
    return [ipAddress(address, at, refused)]
  }
  const { sourceAddress, extraSourceAddresses: extra, additionalSourceAddresses: additional } = bind
  const more = [
    ...extra.flatMap((each, index) => {
      const at = join(path, `extra_source_addresses[${index}]`)
      knowOnly(ExtraSourceAddressSchema, each, extraFields, at, refused)
      return one(each.address, join(at, 'address'))
    }),
    ...additional.flatMap((each, index) => one(each, join(path, `additional_source_addresses[${index}]`))),
  ]
  if (sourceAddress === undefined) {
    if (more.length > 0) refused.add(join(path, 'source_address'), 'is missing')
    return {}
  }
  return { sourceAddresses: [...one(sourceAddress, join(path, 'source_address')), ...more] }
}
