import type { MessageInitShape } from '@bufbuild/protobuf'
import { Cluster_DnsLookupFamily } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { DnsCacheConfigSchema } from '../../xds/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.ts'
import { FilterConfigSchema } from '../../xds/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { typed } from './parts.ts'

/** One cache for the cluster and the filter that fills it: Envoy wants both to say the same. */
export const dnsCache: MessageInitShape<typeof DnsCacheConfigSchema> = {
  name: 'weft-passthrough',
  dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
}

/** Resolves the host for clusters that lead to wherever a call was going; our proxy needs no filter for that. */
export const resolveAuthority: MessageInitShape<typeof HttpFilterSchema> = {
  name: 'envoy.filters.http.dynamic_forward_proxy',
  isOptional: true,
  configType: {
    case: 'typedConfig' as const,
    value: typed(FilterConfigSchema, { implementationSpecifier: { case: 'dnsCacheConfig', value: dnsCache } }),
  },
}
