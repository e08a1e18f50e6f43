import { HeaderValueSchema, type HeaderValue } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  GrpcServiceSchema,
  GrpcService_EnvoyGrpcSchema,
  type GrpcService,
} from '../../xds/gen/envoy/config/core/v3/grpc_service_pb.ts'
import type { Collector } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const grpcFields = fieldNames('envoy_grpc timeout initial_metadata')
const metadataFields = fieldNames('key value')
const envoyGrpcFields = fieldNames('cluster_name authority')

/** For one export, ms. Envoy waits for ever where nothing is said. */
export const usualExportMs = 10_000

/** What stands in place of one that was refused. */
export const nowhere: Collector = { cluster: '', protocol: 'grpc', authority: '', path: '', timeoutMs: 0, headers: [] }

/** A service of gRPC at a cluster; `method`: the path that it is asked by. */
export function decodeGrpcCollector(service: GrpcService, method: string, path: string, refused: Refusals): Collector {
  knowOnly(GrpcServiceSchema, service, grpcFields, path, refused)
  const target = service.targetSpecifier
  if (target.case !== 'envoyGrpc' || target.value.clusterName === '') {
    refused.add(join(path, 'envoy_grpc'), 'expected cluster_name')
    return nowhere
  }
  knowOnly(GrpcService_EnvoyGrpcSchema, target.value, envoyGrpcFields, join(path, 'envoy_grpc'), refused)
  const { clusterName: cluster, authority } = target.value
  const timeoutMs = durationMs(service.timeout, usualExportMs, join(path, 'timeout'), refused)
  const headers = service.initialMetadata.map((one, index) => {
    const at = join(path, `initial_metadata[${index}]`)
    knowOnly(HeaderValueSchema, one, metadataFields, at, refused)
    return plainHeader(one, at, refused)
  })
  return { cluster, protocol: 'grpc', authority: authority || cluster, path: method, timeoutMs, headers }
}

/** A header that is the same for all. */
export function plainHeader(
  { key, value }: Pick<HeaderValue, 'key' | 'value'>,
  path: string,
  refused: Refusals,
): readonly [name: string, value: string] {
  if (!/^[A-Za-z0-9!#$&'*+\-.^_`|~]+$/.test(key)) refused.add(join(path, 'key'), 'is no header name')
  if (/[^\x20-\x7e\t]/.test(value) || value.includes('%'))
    refused.add(join(path, 'value'), 'expected a text of ASCII without commands')
  return [key.toLowerCase(), value]
}
