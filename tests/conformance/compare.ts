import type { CurlReply } from '../world/curl.ts'
import type { Expectation } from './case.ts'

/** What the echo backend says that it saw. */
interface Echo {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly namespace: string
  readonly pod: string
  /** Raw TCP has none. */
  readonly headers?: Readonly<Record<string, readonly string[]>>
}

/** The pod of an answer without its ordinal: the backend's name. Undefined: no backend has answered. */
export const backendOf = (reply: CurlReply): string | undefined => echoOf(reply)?.pod.replace(/-x-\d+$/, '')

/** The first thing about the answer to a request for `url` that is not as expected; undefined: it fits. */
export function firstDifference(reply: CurlReply, url: string, expected: Expectation): string | undefined {
  if (expected.connectionFailure === true || expected.connectionRejected === true)
    return reply.status === 0 ? undefined : `status ${reply.status}, expected no connection`
  if (expected.framesEchoed === true) return reply.status === 101 ? undefined : `no echo: ${reply.error}`
  return (
    statusDifference(reply, expected) ??
    codeDifference(reply, expected) ??
    redirectDifference(reply, url, expected) ??
    // Headers and backend are looked at in good answers only, as upstream does.
    ((reply.status === 200 || reply.status === 204) && (reply.headers['grpc-status']?.[0] ?? '0') === '0'
      ? (tlsDifference(reply, expected) ??
        backendDifference(reply, expected) ??
        headersDifference('response', reply.headers, responsePart(expected)))
      : undefined)
  )
}

function statusDifference({ status, error, body }: CurlReply, expected: Expectation): string | undefined {
  const { statuses, statusesNot } = expected
  const said = error === '' ? body.slice(0, 200).trim() : error
  if (status === 0) return `no answer: ${said}`
  if (statuses !== undefined && !statuses.some((one) => sameStatus(one, status)))
    return `status ${status}, expected ${statuses.join(' or ')}: ${said}`
  return statusesNot?.some((one) => sameStatus(one, status)) === true
    ? `status ${status}, which must not be`
    : undefined
}

function codeDifference({ headers }: CurlReply, { grpcCode, grpcCodeNot }: Expectation): string | undefined {
  const [code = ''] = headers['grpc-status'] ?? []
  if (grpcCode !== undefined && code !== String(grpcCode)) return `gRPC code ${code}, expected ${grpcCode}`
  return grpcCodeNot !== undefined && code === String(grpcCodeNot) ? `gRPC code ${code}, which must not be` : undefined
}

/** 408 and 504 stand for each other. */
const sameStatus = (a: number, b: number): boolean => a === b || ([408, 504].includes(a) && [408, 504].includes(b))

const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443' }

function redirectDifference({ headers }: CurlReply, asked: string, { redirect }: Expectation): string | undefined {
  if (redirect === undefined) return undefined
  const [location] = headers['location'] ?? []
  if (location === undefined) return 'no Location'
  const url = new URL(location, asked)
  const scheme = url.protocol.slice(0, -1)
  const usual = defaultPorts[scheme] ?? ''
  const port = url.port === '' ? usual : url.port
  const wanted = redirect.port === undefined ? port : redirect.port === 'default' ? usual : String(redirect.port)
  return (
    differs('scheme of Location', scheme, redirect.scheme) ??
    differs('host of Location', url.hostname, redirect.host) ??
    differs('port of Location', port, wanted) ??
    differs('path of Location', url.pathname, redirect.path)
  )
}

/** Whether the backend was asked over TLS, and for which name; whether it has answered the question that was asked. */
function tlsDifference(
  reply: CurlReply,
  { backendIsTLS, backendRequest, dnsAnswerWithSameId }: Expectation,
): string | undefined {
  const [seen = ''] = reply.headers['is-tls'] ?? []
  const [id] = reply.headers['same-id'] ?? []
  const { tls } = (echoOf(reply) ?? {}) as { tls?: { serverName?: string } }
  return (
    differs('DNS answer with the same id', String(id), dnsAnswerWithSameId === undefined ? undefined : 'true') ??
    differs('TLS at the backend', seen, backendIsTLS === undefined ? undefined : String(backendIsTLS)) ??
    differs('server name at the backend', tls?.serverName ?? '', backendRequest?.sni)
  )
}

function backendDifference(reply: CurlReply, { backend, backendRequest }: Expectation): string | undefined {
  if (backend === undefined && backendRequest === undefined) return undefined
  const echo = echoOf(reply)
  if (echo === undefined) return `no echo backend has answered: ${reply.body.slice(0, 200)}`
  return (
    differs('backend', backendOf(reply) ?? '', backend?.service) ??
    differs('namespace of the backend', echo.namespace, backend?.namespace) ??
    differs('method at the backend', echo.method, backendRequest?.method) ??
    differs('path at the backend', echo.path, backendRequest?.path ?? backendRequest?.fullMethod) ??
    differs('host at the backend', echo.host, backendRequest?.host) ??
    headersDifference('request', echo.headers ?? {}, {
      present: { ...backendRequest?.headers, ...backendRequest?.metadata },
      absent: [...(backendRequest?.absentHeaders ?? []), ...(backendRequest?.absentMetadata ?? [])],
    })
  )
}

interface HeadersPart {
  readonly present: Readonly<Record<string, string>>
  readonly absent: readonly string[]
  /** Any of these values will do. */
  readonly oneOf?: Readonly<Record<string, readonly string[]>>
  readonly ignoreWhitespace?: boolean
}

const responsePart = (expected: Expectation): HeadersPart => ({
  present: expected.responseHeaders ?? {},
  oneOf: expected.responseHeadersOneOf ?? {},
  absent: expected.absentResponseHeaders ?? [],
  ignoreWhitespace: expected.ignoreHeaderWhitespace === true,
})

function headersDifference(
  what: string,
  headers: Readonly<Record<string, readonly string[]>>,
  { present, absent, oneOf = {}, ignoreWhitespace = false }: HeadersPart,
): string | undefined {
  const same = (a: string | undefined, b: string): boolean =>
    a === b || (ignoreWhitespace && a?.replaceAll(/\s/g, '') === b.replaceAll(/\s/g, ''))
  const values = new Map(Object.entries(headers).map(([name, list]) => [name.toLowerCase(), list.join(',')]))
  for (const [name, value] of Object.entries(present)) {
    const seen = values.get(name.toLowerCase())
    if (!same(seen, value))
      return `${what} header ${name} is ${JSON.stringify(seen)}, expected ${JSON.stringify(value)}`
  }
  for (const [name, wanted] of Object.entries(oneOf)) {
    const seen = values.get(name.toLowerCase())
    if (!wanted.some((one) => same(seen, one)))
      return `${what} header ${name} is ${JSON.stringify(seen)}, expected one of ${JSON.stringify(wanted)}`
  }
  const there = absent.find((name) => values.has(name.toLowerCase()))
  return there === undefined ? undefined : `${what} header ${there} must be absent`
}

const differs = (what: string, seen: string, wanted: string | undefined): string | undefined =>
  wanted === undefined || seen === wanted
    ? undefined
    : `${what} is ${JSON.stringify(seen)}, expected ${JSON.stringify(wanted)}`

function echoOf({ body }: CurlReply): Echo | undefined {
  try {
    const echo = JSON.parse(body) as Echo
    return typeof echo.pod === 'string' ? echo : undefined
  } catch {
    return undefined
  }
}

/** How the shares of `backends` (who answered, one entry each) miss the weights; undefined: they do not. */
export function shareDifference(
  backends: readonly (string | undefined)[],
  { weights = {}, tolerance = 0.05 }: Expectation,
): string | undefined {
  const counts = new Map<string, number>()
  for (const one of backends) counts.set(one ?? 'nobody', (counts.get(one ?? 'nobody') ?? 0) + 1)
  for (const [name, count] of counts) {
    if (weights[name] === undefined) return `${name} has answered ${count} times, expected never`
  }
  for (const [name, weight] of Object.entries(weights)) {
    const share = (counts.get(name) ?? 0) / backends.length
    const fits = weight === 0 ? share === 0 : Math.abs(share - weight) <= tolerance
    if (!fits) return `share of ${name} is ${share.toFixed(3)}, expected ${weight} within ${tolerance}`
  }
  return undefined
}
