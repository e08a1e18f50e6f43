import {
  ApiConfigSourceSchema,
  ApiConfigSource_ApiType as ApiType,
  ApiVersion,
  type ApiConfigSource,
} from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import { GrpcServiceSchema, GrpcService_EnvoyGrpcSchema } from '../../xds/gen/envoy/config/core/v3/grpc_service_pb.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const apiFields = fieldNames('api_type transport_api_version grpc_services set_node_on_first_message_only')
const serviceFields = fieldNames('envoy_grpc')
const grpcFields = fieldNames('cluster_name')

/** The cluster whose server brings configuration by gRPC in this variant of the protocol. */
export function decodeApiSource(
  source: ApiConfigSource,
  type: 'DELTA_GRPC' | 'GRPC',
  path: string,
  refused: Refusals,
): string {
  knowOnly(ApiConfigSourceSchema, source, apiFields, path, refused)
  if (source.apiType !== ApiType[type])
    refused.add(join(path, 'api_type'), `expected ${type}, the only one that is supported`)
  if (source.transportApiVersion !== ApiVersion.V3) refused.add(join(path, 'transport_api_version'), 'expected V3')
  const at = join(path, 'grpc_services')
  const [service, ...more] = source.grpcServices
  if (more.length > 0) refused.add(`${at}[1]`, 'a second one is not supported')
  if (service !== undefined) knowOnly(GrpcServiceSchema, service, serviceFields, `${at}[0]`, refused)
  if (service?.targetSpecifier.case !== 'envoyGrpc') {
    refused.add(at, 'expected one with envoy_grpc')
    return ''
  }
  const { value } = service.targetSpecifier
  knowOnly(GrpcService_EnvoyGrpcSchema, value, grpcFields, `${at}[0].envoy_grpc`, refused)
  return value.clusterName
}
