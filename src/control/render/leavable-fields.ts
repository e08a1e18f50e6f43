import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import type { ResourceSchema } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { mayLeaveOut, weftMetadata } from '../../xds/names.ts'

type WithMetadata = Pick<MessageInitShape<typeof ResourceSchema>, 'metadata'>

/**
 * Fields without which calls are still served as they should be, only less well: a sidecar of a version before them may leave them out (see
 * `mayLeaveOut`). A field that is rendered from some version on belongs here, unless security or correctness hangs on it. HTTP filters have
 * Envoy's own `is_optional` for it.
 */
const fields: ReadonlyMap<DescMessage, readonly string[]> = new Map<DescMessage, readonly string[]>([
  // Retries wait by themselves.
  [RouteConfigurationSchema, ['rate_limited_retry_back_off']],
  // Spans are missing, no calls.
  [ListenerSchema, ['tracing']],
])

const byType = new Map(
  Array.from(fields, ([schema, names]): [DescMessage, WithMetadata] => [
    schema,
    { metadata: { filterMetadata: { [weftMetadata]: { [mayLeaveOut]: [...names] } } } },
  ]),
)

/** What a resource of this type says of them, beside its content. */
export const leavable = (schema: DescMessage): WithMetadata => byType.get(schema) ?? {}
