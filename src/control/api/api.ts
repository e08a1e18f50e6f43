import fs from 'node:fs'
import type http from 'node:http'
import type { AddressInfo } from 'node:net'
import { formatAddress, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { nodeHttp } from '../../base/node-http.ts'
import { guard, type GuardOptions } from './guard.ts'
import type { ApiParts } from './parts.ts'
import { readBody } from './read-body.ts'
import { refuse, send, type ApiReply } from './reply.ts'
import { route } from './routes.ts'
import { startStream } from './watch-resources.ts'

/** Where the API is heard. A Unix socket lets everything in (its directory is the user's own); TCP asks for the token. */
export type ApiListen = { readonly unixPath: string } | { readonly address: Address }

export interface ApiOptions extends GuardOptions {
  readonly listen: readonly ApiListen[]
  readonly parts: ApiParts
  readonly clock: Clock
  readonly log: Log
}

/** A running API. */
export interface ApiServer {
  /** The TCP addresses that are bound, in the order of `listen`. */
  readonly addresses: readonly Address[]
  /** Stops listening and ends every connection, watches too. */
  stop(): Promise<void>
}

/**
 * Listens everywhere or nowhere: rejects with the system's error (EADDRINUSE, EACCES) when one place cannot be had. An existing
 * file at `unixPath` is replaced: the caller holds the data directory's lock.
 */
export async function startApi({ listen, parts, clock, log, ...guardOptions }: ApiOptions): Promise<ApiServer> {
  const servers: http.Server[] = []
  const addresses: Address[] = []
  const stop = async (): Promise<void> => void (await Promise.all(servers.map(close)))
  try {
    for (const place of listen) {
      const overTcp = 'address' in place
      const server = nodeHttp().createServer((request, response) => {
        answer(request, response, overTcp ? guardOptions : undefined).catch((error: unknown) => {
          log.error('a request failed', { path: request.url?.slice(0, 200), reason: reasonOf(error) })
          send(response, refuse(500, 'something broke here; the log of the control plane says what'))
        })
      })
      server.on('clientError', (_error, socket) => socket.destroy())
      await listenOn(server, place)
      servers.push(server)
      if (overTcp) addresses.push({ host: place.address.host, port: (server.address() as AddressInfo).port })
      log.debug('API listens', { at: overTcp ? formatAddress(addresses.at(-1) ?? place.address) : place.unixPath })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { addresses, stop }

  async function answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    over?: GuardOptions,
  ): Promise<void> {
    request.on('error', () => response.destroy())
    response.on('error', () => request.destroy())
    const reply = await replyTo(request, over)
    if ('stream' in reply) startStream(response, reply.stream)
    else send(response, reply)
  }

  async function replyTo(request: http.IncomingMessage, over: GuardOptions | undefined): Promise<ApiReply> {
    const target = parseTarget(request.url ?? '')
    if (target === undefined) return refuse(400, 'the path is not a valid URL path')
    const refused = over === undefined ? undefined : guard(request, target.path, over)
    if (refused !== undefined) return refused
    const body = await readBody(request)
    if (body.kind === 'too-large') return refuse(413, 'the body is over 10 MB; apply fewer documents at a time')
    if (body.kind === 'not-utf8') return refuse(400, 'the body is not UTF-8 text')
    if (body.kind === 'aborted') return refuse(400, 'the request was cut off')
    return route(
      parts,
      { method: request.method ?? 'GET', ...target, body: body.text, local: over === undefined },
      clock,
    )
  }
}

/** "/v1/x%20y?z" → path, decoded segments, query. Undefined for what is no path. */
function parseTarget(url: string): { path: string; segments: readonly string[]; query: URLSearchParams } | undefined {
  if (!url.startsWith('/')) return undefined
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  try {
    const segments = path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent)
    return { path, segments, query: new URLSearchParams(mark < 0 ? '' : url.slice(mark)) }
  } catch {
    return undefined
  }
}

function listenOn(server: http.Server, place: ApiListen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const listening = (): void => {
      server.off('error', reject)
      server.on('error', () => {})
      if ('unixPath' in place) fs.chmodSync(place.unixPath, 0o600)
      resolve()
    }
    if ('address' in place) return void server.listen({ ...place.address, exclusive: true }, listening)
    fs.rmSync(place.unixPath, { force: true })
    server.listen(place.unixPath, listening)
  })
}

function close(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

const reasonOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
