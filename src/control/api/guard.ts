import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import net from 'node:net'
import { refuse, type ApiReply } from './reply.ts'

/** Who is let in over TCP. The Unix socket needs no guard: its directory is the user's own. */
export interface GuardOptions {
  readonly token: string
  /** Names by which browsers and scrapers may call us, besides localhost and IP addresses; lower case, without port. */
  readonly hosts: readonly string[]
}

const openPaths: ReadonlySet<string> = new Set(['/', '/healthz', '/metrics'])

/**
 * Undefined lets the request in. A foreign name in Host is a web page that had its own name point at us (DNS rebinding): refused
 * before anything else. Loopback is shared by all users of the machine, so all but a few paths need the token.
 */
export function guard(request: IncomingMessage, path: string, { token, hosts }: GuardOptions): ApiReply | undefined {
  const host = hostName(request.headers.host)
  if (host === undefined || !(net.isIP(host) !== 0 || host === 'localhost' || hosts.includes(host)))
    return refuse(403, 'the Host header names another server; use an IP address or localhost')
  if (openPaths.has(path)) return undefined
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (given === undefined)
    return refuse(
      401,
      'this needs "Authorization: Bearer TOKEN"; the token is in the file api.token of the data directory',
    )
  return sameSecret(given, token) ? undefined : refuse(401, 'the bearer token is not the one in api.token')
}

/** "[::1]:80" → "::1", "LOCALHOST:80" → "localhost". */
function hostName(host: string | undefined): string | undefined {
  return host
    ?.replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const sameSecret = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
