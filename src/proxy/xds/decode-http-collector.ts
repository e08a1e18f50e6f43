import { HeaderValueOptionSchema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { HttpServiceSchema, type HttpService } from '../../xds/gen/envoy/config/core/v3/http_service_pb.ts'
import { HttpUriSchema } from '../../xds/gen/envoy/config/core/v3/http_uri_pb.ts'
import type { Collector } from '../config.ts'
import { plainHeader } from './decode-grpc-collector.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const httpFields = fieldNames('http_uri request_headers_to_add')
const uriFields = fieldNames('uri cluster timeout')
const optionFields = fieldNames('header')

/** Where an HTTP collector is. `mayBePath`: the URI may be a path alone, and then the authority is the cluster's name. Source: envoy.config.core.v3.HttpService. */
export function decodeHttpCollector(
  service: HttpService,
  path: string,
  { defaultMs, mayBePath }: { readonly defaultMs: number; readonly mayBePath: boolean },
  refused: Refusals,
): Collector {
  knowOnly(HttpServiceSchema, service, httpFields, path, refused)
  const { httpUri } = service
  const at = join(path, 'http_uri')
  if (httpUri !== undefined) knowOnly(HttpUriSchema, httpUri, uriFields, at, refused)
  const cluster = httpUri?.httpUpstreamType.value ?? ''
  if (cluster === '') refused.add(join(at, 'cluster'), 'is missing')
  const uri = httpUri?.uri ?? ''
  const isPath = mayBePath && uri.startsWith('/')
  const written = isPath ? `http://collector${uri}` : uri
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    refused.add(join(at, 'uri'), `expected an http or https URI${mayBePath ? ', or a path' : ''}`)
  const headers = service.requestHeadersToAdd.map((option, index) => {
    const place = join(path, `request_headers_to_add[${index}]`)
    knowOnly(HeaderValueOptionSchema, option, optionFields, place, refused)
    return plainHeader(option.header ?? { key: '', value: '' }, join(place, 'header'), refused)
  })
  const timeoutMs = durationMs(httpUri?.timeout, defaultMs, join(at, 'timeout'), refused)
  const target = `${url?.pathname ?? '/'}${url?.search ?? ''}`
  return {
    cluster,
    protocol: 'http',
    authority: isPath ? cluster : (url?.host ?? ''),
    path: target,
    timeoutMs,
    headers,
  }
}
