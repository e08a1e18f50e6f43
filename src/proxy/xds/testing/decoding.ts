import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import type { Any, DurationSchema } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { packAny } from '../../../xds/any.ts'
import { ListenerSchema } from '../../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { HttpConnectionManagerSchema } from '../../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { XdsType } from '../../../xds/type-urls.ts'
import { decodeResource, type Decoded } from '../decode.ts'
import { ads, loopback, router } from './resources.ts'

export type Init<S extends DescMessage> = MessageInitShape<S>

/** The resource as it is decoded; fails the test when it is refused. */
export function decode<T extends XdsType, S extends DescMessage>(
  type: T,
  schema: S,
  init: Init<S>,
  name = 'x',
): Decoded[T] {
  const decoded = decodeResource(type, { name, resource: packAny(schema, create(schema, init)) })
  assert.ok('value' in decoded, 'problem' in decoded ? decoded.problem : '')
  return decoded.value
}
/** Why the resource is refused. */
export function problem<S extends DescMessage>(type: XdsType, schema: S, init: Init<S>, name = 'x'): string {
  const decoded = decodeResource(type, { name, resource: packAny(schema, create(schema, init)) })
  return 'problem' in decoded ? decoded.problem : 'taken'
}

/** As a protobuf Duration. */
export const ms = (value: number): Init<typeof DurationSchema> & { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(value / 1000)),
  nanos: (value % 1000) * 1e6,
})
export interface Typed {
  readonly name: string
  readonly configType: { readonly case: 'typedConfig'; readonly value: Any }
}

/** A filter, log or the like with its configuration. */
export const typed = <S extends DescMessage>(name: string, schema: S, init: Init<S>): Typed => ({
  name,
  configType: { case: 'typedConfig' as const, value: packAny(schema, create(schema, init)) },
})

export type Manager = Init<typeof HttpConnectionManagerSchema>
/** An HTTP connection manager with routes by RDS. */
export const manager = (more: Manager = {}): Typed =>
  typed('http', HttpConnectionManagerSchema, {
    statPrefix: 'p',
    routeSpecifier: { case: 'rds', value: { routeConfigName: 'r', configSource: ads } },
    httpFilters: [router],
    ...more,
  } as Manager)
/** A listener of one chain. */
export const withFilters = (filters: readonly Typed[]): Init<typeof ListenerSchema> => ({
  name: 'x',
  address: loopback(80),
  filterChains: [{ filters: [...filters] }],
})
