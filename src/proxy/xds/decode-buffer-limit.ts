import type { Route, VirtualHost } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { join, type Refusals } from './refusals.ts'

type Limits = Pick<Route | VirtualHost, 'perRequestBufferLimitBytes' | 'requestBodyBufferLimit'>

/**
 * How much of a request is kept for other attempts, or may a copy fall behind it: what the route says, else its virtual host; of the two
 * names of the field the newer one counts. Source: envoy Route.request_body_buffer_limit.
 */
export function decodeBufferLimit(
  route: Limits,
  host: Limits,
  path: string,
  refused: Refusals,
): { readonly bufferLimitBytes?: number } {
  for (const { perRequestBufferLimitBytes: old, requestBodyBufferLimit: limit } of [route, host])
    if (old !== undefined && limit !== undefined)
      refused.add(join(path, 'request_body_buffer_limit'), 'and per_request_buffer_limit_bytes exclude each other')
  const given = limitOf(route) ?? limitOf(host)
  return given === undefined ? {} : { bufferLimitBytes: given }
}

const limitOf = ({ requestBodyBufferLimit: limit, perRequestBufferLimitBytes: old }: Limits): number | undefined =>
  limit === undefined ? old : Number(limit)
