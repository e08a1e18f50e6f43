import { doHeader, idHeader, type Backends, type Seen } from './backends.ts'
import { listenerName, type Case, type CaseRequest } from './case.ts'
import { overHttp1, overHttp2, overTcp, type Exchange, type Secure } from './client.ts'
import type { RunningProxy } from './proxies.ts'

/** What one request came to. */
export interface Outcome {
  readonly exchange: Exchange
  readonly seen: readonly Seen[]
  /** With `repeat`: how often each backend answered. */
  readonly shares: Readonly<Record<string, number>> | undefined
  readonly tookMs: number
}

/** Certificates that clients show. */
export interface ClientMaterial {
  readonly trustPem: string
  readonly client: { readonly keyPem: string; readonly chainPem: string }
  readonly stranger: { readonly keyPem: string; readonly chainPem: string }
  /** Of the other's name, by our own authority. */
  readonly imposter: { readonly keyPem: string; readonly chainPem: string }
}

/** Sends request `index` of a case to one proxy. */
export async function ask(
  proxy: RunningProxy,
  one: Case,
  index: number,
  world: { readonly backends: Backends; readonly material: ClientMaterial },
): Promise<Outcome> {
  const request = one.requests[index]
  if (request === undefined) throw new Error(`${one.name} has no request ${index}`)
  const to = request.to ?? Object.keys(one.listeners)[0] ?? ''
  const port = proxy.portOf(listenerName(one, to))
  const id = `${proxy.name}-${one.name}-${index}`
  if (request.repeat !== undefined) return repeated(request, port, id, world)
  const startMs = performance.now()
  const exchange = await once(request, port, id, world.material)
  return { exchange, seen: world.backends.take(id), shares: undefined, tookMs: performance.now() - startMs }
}

async function repeated(
  request: CaseRequest,
  port: number,
  id: string,
  { backends, material }: { readonly backends: Backends; readonly material: ClientMaterial },
): Promise<Outcome> {
  const all = await Promise.all(Array.from({ length: request.repeat ?? 0 }, () => once(request, port, id, material)))
  const shares: Record<string, number> = {}
  for (const { replies, rest } of all) {
    const name = replies[0]?.headers.find(([header]) => header === 'x-backend')?.[1] ?? rest.split(':')[0] ?? ''
    shares[name] = (shares[name] ?? 0) + 1
  }
  backends.take(id)
  return { exchange: { replies: [], rest: '', end: 'open' }, seen: [], shares, tookMs: 0 }
}

function once(request: CaseRequest, port: number, id: string, material: ClientMaterial): Promise<Exchange> {
  const { tls } = request
  const secure: Secure | undefined = tls && {
    ...tls,
    trustPem: material.trustPem,
    own: tls.as && material[tls.as],
  }
  if (request.tcp !== undefined) return overTcp(port, request.tcp, secure)
  if (request.h2 === true) return asHttp2(request, port, id, secure)
  const raw = request.raw === undefined ? asHttp1(request, id) : [request.raw].flat().map((text) => withId(text, id))
  return overHttp1(port, raw, {
    replies: request.replies ?? 1,
    untilClosed: request.own === true && request.raw !== undefined,
    heads: request.send?.startsWith('HEAD ') === true,
    secure,
    ...(request.tunnel === undefined ? {} : { tunnel: request.tunnel }),
  })
}

/** In files a line ends with \n; on the wire with \r\n, but where "\x0a" is meant it is written so. */
const withId = (text: string, id: string): string =>
  text.replaceAll('\n', '\r\n').replaceAll('\\x0a', '\n').replaceAll('ID', `${idHeader}: ${id}`)

function parts(
  request: CaseRequest,
  id: string,
): { method: string; path: string; host: string; fields: [string, string][] } {
  const [method = 'GET', path = '/'] = (request.send ?? 'GET /').split(' ')
  const fields = (request.headers ?? []).map((line): [string, string] => {
    const colon = line.indexOf(':', 1)
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const host = fields.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? 'case.example'
  const rest = fields.filter(([name]) => name.toLowerCase() !== 'host')
  rest.push([idHeader, id])
  if (request.do !== undefined) rest.push([doHeader, JSON.stringify(request.do)])
  return { method, path, host, fields: rest }
}

function asHttp1(request: CaseRequest, id: string): string[] {
  const { method, path, host, fields } = parts(request, id)
  const { body, trailers } = request
  if (body !== undefined)
    fields.push(trailers === undefined ? ['content-length', String(body.length)] : ['transfer-encoding', 'chunked'])
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...fields.map(([name, value]) => `${name}: ${value}`)]
  const framed =
    body === undefined || trailers === undefined
      ? (body ?? '')
      : `${body.length.toString(16)}\r\n${body}\r\n0\r\n${Object.entries(trailers)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('')}\r\n`
  return [`${head.join('\r\n')}\r\n\r\n${framed}`]
}

function asHttp2(request: CaseRequest, port: number, id: string, secure: Secure | undefined): Promise<Exchange> {
  const { method, path, host, fields } = parts(request, id)
  const scheme = secure === undefined ? 'http' : 'https'
  return overHttp2(port, {
    headers: [
      [':method', method],
      [':scheme', scheme],
      [':authority', host],
      [':path', path],
      ...fields.map(([name, value]): [string, string] => [name.toLowerCase(), value]),
    ],
    body: request.body,
    trailers: request.trailers,
    secure,
  })
}
