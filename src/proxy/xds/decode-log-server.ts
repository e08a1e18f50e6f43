import type { Any } from '@bufbuild/protobuf/wkt'
import { BackoffStrategySchema } from '../../xds/gen/envoy/config/core/v3/backoff_pb.ts'
import { RetryPolicySchema, type RetryPolicy } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { ApiVersion } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import {
  CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  type CommonGrpcAccessLogConfig,
} from '../../xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts'
import type { LogServer, ServerLog, SpanTag } from '../config.ts'
import { decodeGrpcCollector, nowhere } from './decode-grpc-collector.ts'
import { decodeCustomTags } from './decode-custom-tags.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** Where nothing is said. Source: CommonGrpcAccessLogConfig. */
export const usualFlush = { intervalMs: 1000, bytes: 16_384 } as const

const streamPath = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'

const httpFields = fieldNames(`common_config additional_request_headers_to_log additional_response_headers_to_log
  additional_response_trailers_to_log`)
const tcpFields = fieldNames('common_config')

/** Entries of calls, and of connections too. Source: envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig. */
export function decodeHttpServerLog(any: Any, path: string, refused: Refusals): ServerLog | undefined {
  const log = open(any, HttpGrpcAccessLogConfigSchema, path, refused)
  if (log === undefined) return undefined
  knowOnly(HttpGrpcAccessLogConfigSchema, log, httpFields, path, refused)
  const names = (list: readonly string[], field: string): readonly string[] =>
    list.map((name, index) => {
      if (!/^:?[A-Za-z0-9!#$&'*+\-.^_`|~]+$/.test(name))
        refused.add(join(path, `${field}[${index}]`), 'is no header name')
      return name.toLowerCase()
    })
  const common = decodeCommon(log.commonConfig, 'http', join(path, 'common_config'), refused)
  return (
    common && {
      server: common.server,
      entry: {
        kind: 'http',
        requestHeaders: names(log.additionalRequestHeadersToLog, 'additional_request_headers_to_log'),
        responseHeaders: names(log.additionalResponseHeadersToLog, 'additional_response_headers_to_log'),
        responseTrailers: names(log.additionalResponseTrailersToLog, 'additional_response_trailers_to_log'),
        tags: common.tags,
      },
    }
  )
}

/** Entries of connections, and of calls too. Source: envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig. */
export function decodeTcpServerLog(any: Any, path: string, refused: Refusals): ServerLog | undefined {
  const log = open(any, TcpGrpcAccessLogConfigSchema, path, refused)
  if (log === undefined) return undefined
  knowOnly(TcpGrpcAccessLogConfigSchema, log, tcpFields, path, refused)
  const common = decodeCommon(log.commonConfig, 'tcp', join(path, 'common_config'), refused)
  return common && { server: common.server, entry: { kind: 'tcp', tags: common.tags } }
}

const commonFields = fieldNames(`log_name grpc_service transport_api_version buffer_flush_interval buffer_size_bytes
  grpc_stream_retry_policy custom_tags`)

function decodeCommon(
  config: CommonGrpcAccessLogConfig | undefined,
  entries: 'http' | 'tcp',
  path: string,
  refused: Refusals,
): { readonly server: LogServer; readonly tags: readonly SpanTag[] } | undefined {
  if (config === undefined) {
    refused.add(path, 'is missing')
    return undefined
  }
  knowOnly(CommonGrpcAccessLogConfigSchema, config, commonFields, path, refused)
  const { logName: name, grpcService, grpcStreamRetryPolicy: retry, bufferSizeBytes, bufferFlushInterval } = config
  if (name === '') refused.add(join(path, 'log_name'), 'is empty')
  checkVersion(config, path, refused)
  const at = join(path, 'grpc_service')
  if (grpcService === undefined) refused.add(at, 'is missing')
  const intervalAt = join(path, 'buffer_flush_interval')
  const flushMs = durationMs(bufferFlushInterval, usualFlush.intervalMs, intervalAt, refused)
  if (flushMs === 0) refused.add(intervalAt, 'expected a duration above 0')
  return {
    server: {
      kind: 'stream',
      entries,
      collector: grpcService === undefined ? nowhere : decodeGrpcCollector(grpcService, streamPath, at, refused),
      name,
      batchBytes: bufferSizeBytes ?? usualFlush.bytes,
      flushMs,
      ...(retry && { opening: decodeOpening(retry, join(path, 'grpc_stream_retry_policy'), refused) }),
    },
    tags: decodeCustomTags(config.customTags, join(path, 'custom_tags'), refused),
  }
}

/** There is one version of the service. */
export function checkVersion(
  { transportApiVersion: version }: Pick<CommonGrpcAccessLogConfig, 'transportApiVersion'>,
  path: string,
  refused: Refusals,
): void {
  if (version !== ApiVersion.AUTO && version !== ApiVersion.V3)
    refused.add(join(path, 'transport_api_version'), 'expected V3')
}

const retryFields = fieldNames('retry_back_off num_retries')
const backoffFields = fieldNames('base_interval max_interval')

/** Source: envoy.config.core.v3.RetryPolicy. */
function decodeOpening(
  policy: RetryPolicy,
  path: string,
  refused: Refusals,
): NonNullable<(LogServer & { readonly kind: 'stream' })['opening']> {
  knowOnly(RetryPolicySchema, policy, retryFields, path, refused)
  const { retryBackOff: backoff, numRetries = 1 } = policy
  const at = join(path, 'retry_back_off')
  if (backoff !== undefined) knowOnly(BackoffStrategySchema, backoff, backoffFields, at, refused)
  const baseMs = durationMs(backoff?.baseInterval, 1000, join(at, 'base_interval'), refused)
  return {
    attempts: numRetries + 1,
    baseMs,
    maxMs: durationMs(backoff?.maxInterval, baseMs * 10, join(at, 'max_interval'), refused),
  }
}
