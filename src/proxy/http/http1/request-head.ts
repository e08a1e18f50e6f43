import type { HeaderField } from '../headers.ts'
import { chunked, isRefusal, readFields, type Refusal } from './framing.ts'
import { limits } from './limits.ts'

/** A request's head, checked; what the codec itself needs is apart from the fields that travel on. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** Lower case, from the target when that is absolute, else from Host: the only name that anything later sees. */
  readonly authority: string
  /** The target was absolute (`http://host/path`). */
  readonly absolute: boolean
  readonly minor: 0 | 1
  /** Plain text and TLS look alike here; the peer tells them apart. */
  readonly scheme: 'http'
  readonly protocol: 'http/1.0' | 'http/1.1'
  readonly headers: HeaderField[]
  /** Bytes, or `chunked`. */
  readonly framing: number
  /** Not when it asks for a tunnel: what comes behind is meant for that, and read by nobody if there is none. */
  readonly keepAlive: boolean
  /** The client sends nothing after it, as it says itself (RFC 9112, section 9.6). */
  readonly isLast: boolean
  readonly upgrade: string | undefined
}

const methods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT'])
const methodForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
/** Visible ASCII without "#": a fragment is never sent, and readers disagree about one that is. */
const targetForm = /^[\x21\x22\x24-\x7e]+$/
const absoluteForm = /^http:\/\/([^/?]+)(.*)$/i
/** Host name, IPv4 or bracketed IPv6, and a port that is not empty. No user info. */
const authorityForm = /^(?:[a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/

const refuse = (cause: string): Refusal => ({ status: 400, cause })

/**
 * Reads a whole head (latin1, without its final empty line). `defaultHost`: who a request of HTTP/1.0 is for that has no Host. Source:
 * RFC 9112, sections 2 to 6.
 */
export function readRequestHead(text: string, defaultHost?: string): RequestHead | Refusal {
  const lineEnd = text.indexOf('\r\n')
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd)
  if (line.length > limits.requestLineBytes) return { status: 414, cause: `the request line is over 8 KiB` }
  const first = line.indexOf(' ')
  const second = line.indexOf(' ', first + 1)
  const method = line.slice(0, Math.max(first, 0))
  if (second < 0 || !(methods.has(method) || methodForm.test(method))) return refuse('the request line is not valid')
  const minor = readVersion(line, second + 1)
  if (typeof minor === 'object') return minor
  const target = line.slice(first + 1, second)
  if (!targetForm.test(target)) return refuse('the request target is not valid')

  const fields = readFields(text, lineEnd < 0 ? text.length : lineEnd + 2)
  if (isRefusal(fields)) return fields
  if (fields.chunked && minor === 0) return refuse('Transfer-Encoding in an HTTP/1.0 request')
  if (fields.expect !== undefined && fields.expect !== '100-continue')
    return { status: 417, cause: 'Expect is not "100-continue"' }
  const named = fields.host ?? (minor === 0 ? defaultHost : undefined)
  if (named === undefined) return refuse('no Host')
  const host = readAuthority(named)
  if (host === undefined) return refuse('Host is not a valid authority')
  const place = readTarget(method, target, host)
  if (isRefusal(place)) return place

  const framing = fields.chunked ? chunked : (fields.contentLength ?? 0)
  const upgrade = upgradeOf(method, minor, framing, fields.upgrade)
  const isLast = fields.close || (minor === 0 && !fields.keepAlive)
  const forTunnel = method === 'CONNECT' || upgrade !== undefined
  return {
    method,
    path: place.path,
    authority: place.authority,
    absolute: place.absolute,
    minor,
    scheme: 'http',
    protocol: minor === 1 ? 'http/1.1' : 'http/1.0',
    headers: fields.headers,
    framing,
    keepAlive: !forTunnel && !isLast,
    isLast: isLast && !forTunnel,
    upgrade,
  }
}

function readVersion(line: string, at: number): 0 | 1 | Refusal {
  if (line.startsWith('HTTP/1.1', at) && line.length === at + 8) return 1
  if (line.startsWith('HTTP/1.0', at) && line.length === at + 8) return 0
  const known = /^HTTP\/\d\.\d$/.test(line.slice(at))
  return known ? { status: 505, cause: 'only HTTP/1.0 and HTTP/1.1 are spoken here' } : refuse('no valid HTTP version')
}

/**
 * The authority in lower case and without the dot of an absolute name, which names the same host (RFC 9110, section 4.2.3; RFC 1034,
 * section 3.1); undefined when it is not one: odd characters, an empty port, user info, nothing at all.
 */
export function readAuthority(text: string): string | undefined {
  const lower = text.toLowerCase()
  if (!authorityForm.test(lower)) return undefined
  const dot = lower.endsWith('.') ? lower.length - 1 : lower.indexOf('.:')
  return dot <= 0 ? lower : lower.slice(0, dot) + lower.slice(dot + 1)
}

interface Place {
  readonly path: string
  readonly authority: string
  readonly absolute: boolean
}

/** The four forms of a target. Source: RFC 9112, section 3.2. An absolute one outweighs Host (section 3.2.2). */
function readTarget(method: string, target: string, host: string): Place | Refusal {
  if (method === 'CONNECT') {
    const authority = readAuthority(target)
    return authority !== undefined && /:\d+$/.test(authority)
      ? { path: authority, authority, absolute: true }
      : refuse('CONNECT needs a host and a port')
  }
  if (target.charCodeAt(0) === 0x2f) return { path: target, authority: host, absolute: false }
  if (target === '*') {
    return method === 'OPTIONS' ? { path: '*', authority: host, absolute: false } : refuse('"*" is for OPTIONS only')
  }
  const [, where, rest] = absoluteForm.exec(target) ?? []
  const authority = where === undefined ? undefined : readAuthority(where)
  if (authority === undefined || rest === undefined) return refuse('the request target is not valid')
  if (rest === '' && method === 'OPTIONS') return { path: '*', authority, absolute: true }
  return { path: rest.startsWith('/') ? rest : `/${rest}`, authority, absolute: true }
}

/** HTTP/2 by upgrade is not offered; it is ignored, as RFC 9110, section 7.8 allows for any upgrade. */
function upgradeOf(method: string, minor: number, framing: number, asked: string | undefined): string | undefined {
  if (asked === undefined || method !== 'GET' || minor === 0 || framing !== 0) return undefined
  return /^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(asked) && asked !== 'h2c' ? asked : undefined
}
