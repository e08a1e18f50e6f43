import type { MessageInitShape } from '@bufbuild/protobuf'
import type { RouteAction_HashPolicySchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HashOn } from '../model/model.ts'
import { duration } from './parts.ts'

/** What calls are told apart by; Envoy mixes all that are found. */
export function renderHashPolicy(by: HashOn): MessageInitShape<typeof RouteAction_HashPolicySchema> {
  switch (by.kind) {
    case 'cookie': {
      const ttl = by.ttlMs === undefined ? {} : { ttl: duration(by.ttlMs) }
      return { policySpecifier: { case: 'cookie', value: { name: by.name, path: by.path, ...ttl } } }
    }
    case 'header':
      return { policySpecifier: { case: 'header', value: { headerName: by.name } } }
    case 'query-parameter':
      return { policySpecifier: { case: 'queryParameter', value: { name: by.name } } }
    case 'source-ip':
      return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } }
  }
}
