import { create, type DescMessage, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf'
import type { Any, Duration, DurationSchema } from '@bufbuild/protobuf/wkt'
import type { Address } from '../../base/address.ts'
import { packAny } from '../../xds/any.ts'
import type { AddressSchema } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import type { MetadataSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { ApiVersion, type ConfigSourceSchema } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import {
  FractionalPercent_DenominatorType,
  type FractionalPercentSchema,
} from '../../xds/gen/envoy/type/v3/percent_pb.ts'
import { weftMetadata } from '../../xds/names.ts'
import type { Origin, SettingOrigins } from '../model/model.ts'

/** Whole milliseconds as a protobuf Duration. */
export const duration = (
  ms: number,
): MessageInitShape<typeof DurationSchema> & Pick<Duration, 'seconds' | 'nanos'> => ({
  seconds: BigInt(Math.floor(ms / 1000)),
  nanos: (ms % 1000) * 1_000_000,
})

/** A share in [0, 1], to the millionth. */
export const fraction = (share: number): MessageInitShape<typeof FractionalPercentSchema> => ({
  numerator: Math.round(share * 1e6),
  denominator: FractionalPercent_DenominatorType.MILLION,
})

/** A typed extension: the message in an Any of its own type, its bytes deterministic. */
export const typed = <Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): Any =>
  packAny(schema, create(schema, init))

/** "Over the stream on which you got this." */
export const overAds: MessageInitShape<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
}

export const socketAddress = ({ host, port }: Address): MessageInitShape<typeof AddressSchema> => ({
  address: {
    case: 'socketAddress',
    value: { address: host, portSpecifier: { case: 'portValue', value: port } },
  },
})

/** `weft.dev` metadata: which resource and field caused this part, and what else xDS cannot say. */
export const weft = (origin: Origin | undefined, more: JsonObject = {}): MessageInitShape<typeof MetadataSchema> => ({
  filterMetadata: { [weftMetadata]: { ...originJson(origin), ...more } },
})

/** An origin as the proxy finds it under `weft.dev`. */
export const originJson = (origin: Origin | undefined): JsonObject =>
  origin === undefined ? {} : { resource: origin.resource, field: origin.field, revision: origin.revision }

/** Which policies gave which settings, for `weft` metadata; nothing where none did. */
export const settingsJson = (settings: SettingOrigins | undefined): JsonObject =>
  settings === undefined
    ? {}
    : { settings: Object.fromEntries(Object.entries(settings).map(([name, origin]) => [name, originJson(origin)])) }
