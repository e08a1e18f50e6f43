import { toBinary } from '@bufbuild/protobuf'
import { nodeOf, type AdsNode } from '../../xds/ads-client.ts'
import { NodeSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'

/** Who a proxy is, as it says so to servers: an `envoy.config.core.v3.Node`. */
export const encodeNode = (node: AdsNode): Buffer => Buffer.from(toBinary(NodeSchema, nodeOf(node)))
