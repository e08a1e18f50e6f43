import type { GrpcMethodMatch, GrpcRouteMatch } from '../decode/grpc-route.ts'
import type { RouteMatch } from '../model/model.ts'
import { linkValue } from './link-values.ts'

/** A method of gRPC is a path: "/package.Service/Method". Source: gRPC over HTTP2, "Requests". */
export const linkGrpcMatch = ({ method, headers }: GrpcRouteMatch): RouteMatch => ({
  path: pathOf(method),
  method: undefined,
  headers: headers.map(linkValue),
  queryParameters: [],
})

function pathOf(match: GrpcMethodMatch | undefined): RouteMatch['path'] {
  if (match === undefined) return { kind: 'segments', value: '/' }
  const { type, service, method } = match
  if (type === 'Exact' && service !== undefined)
    return method === undefined
      ? { kind: 'segments', value: `/${service}` }
      : { kind: 'exact', value: `/${service}/${method}` }
  const pattern = (text: string | undefined): string => (text === undefined ? '[^/]+' : `(?:${text})`)
  return { kind: 'regex', value: `/${pattern(service)}/${pattern(method)}` }
}

/** The higher goes first, from left to right. Source: Gateway API, GRPCRouteRule.matches. */
export const grpcPrecedence = ({ method, headers }: GrpcRouteMatch): readonly number[] => [
  method?.service?.length ?? 0,
  method?.method?.length ?? 0,
  headers.length,
]
