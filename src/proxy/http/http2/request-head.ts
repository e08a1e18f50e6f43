import { headerField, headerValue } from '../headers.ts'
import type { ExchangeHead } from '../exchange.ts'
import type { Refusal } from '../http1/framing.ts'
import { readAuthority } from '../http1/request-head.ts'
import { readFields, Pseudo } from './fields.ts'
import type { Field } from './hpack/field.ts'
import { limits } from './limits.ts'

/** A request's head, checked. */
export interface RequestHead extends ExchangeHead {
  readonly protocol: 'h2'
  readonly contentLength: number | undefined
  /** The client gave no key for its WebSocket, as it need not: ours is in `headers`, and the answer to it is for us. */
  readonly ownKey: boolean
}

/** Not what HTTP/2 allows: the stream is reset. Source: RFC 9113, section 8.1.1. */
export interface Malformed {
  readonly malformed: string
}

const methodForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
/** Visible ASCII without "#": a fragment is never sent, and readers disagree about one that is. */
const pathForm = /^\/[\x21\x22\x24-\x7e]*$/
const protocolForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/

const malformed = (cause: string): Malformed => ({ malformed: cause })
const refuse = (cause: string): Refusal => ({ status: 400, cause })

/** Reads the head of a request. `makeKey`: a fresh Sec-WebSocket-Key. Source: RFC 9113, section 8.3.1; RFC 8441, section 4. */
export function readRequestHead(
  fields: readonly Field[],
  end: boolean,
  makeKey: () => string,
): RequestHead | Malformed | Refusal {
  const pseudo = new Pseudo()
  const block = readFields(fields, pseudo)
  if (typeof block === 'string') return malformed(block)
  const { method, scheme, path, protocol, status } = pseudo
  if (status !== undefined) return malformed(':status in a request')
  if (method === undefined || (method !== 'GET' && method !== 'POST' && !methodForm.test(method)))
    return malformed('no valid :method')
  const connect = method === 'CONNECT'
  if (protocol !== undefined && (!connect || !protocolForm.test(protocol))) return malformed('no valid :protocol')
  if (connect && protocol === undefined) {
    if (scheme !== undefined || path !== undefined || pseudo.authority === undefined)
      return malformed('CONNECT with :scheme or :path, or without :authority')
    return readConnect(pseudo.authority, block.headers)
  }
  if (scheme === undefined || path === undefined || path === '') return malformed('no :scheme or no :path')
  const { contentLength } = block
  if (end && contentLength !== undefined && contentLength > 0) return malformed('content-length without DATA')

  const authority = readPlace(pseudo.authority, block.host)
  if (typeof authority === 'object') return authority
  if (scheme !== 'http' && scheme !== 'https') return refuse(':scheme is neither "http" nor "https"')
  if (path.length > limits.pathBytes) return { status: 414, cause: 'the path is over 8 KiB' }
  if (path === '*' ? method !== 'OPTIONS' : !pathForm.test(path)) return refuse(':path is not valid')
  if (block.expect !== undefined && block.expect.toLowerCase() !== '100-continue')
    return { status: 417, cause: 'Expect is not "100-continue"' }

  const upgrade = protocol?.toLowerCase()
  const { headers } = block
  const ownKey = upgrade === 'websocket' && headerValue(headers, webSocketKey) === undefined
  if (ownKey) headers.push(headerField(webSocketKey, makeKey()))
  return {
    // What Upgrade asks for in HTTP/1.1 is a GET.
    method: upgrade === undefined ? method : 'GET',
    scheme,
    authority,
    path,
    headers,
    protocol: 'h2',
    upgrade,
    contentLength,
    ownKey,
  }
}

/** Where a tunnel is to lead; the bytes in it are the stream's. Source: RFC 9113, section 8.5. */
function readConnect(given: string, headers: RequestHead['headers']): RequestHead | Refusal {
  const authority = knownAuthority(given)
  if (authority === undefined || !/:\d+$/.test(authority)) return refuse('CONNECT needs a host and a port')
  return {
    method: 'CONNECT',
    scheme: 'http',
    authority,
    path: authority,
    headers,
    protocol: 'h2',
    upgrade: undefined,
    contentLength: undefined,
    ownKey: false,
  }
}

const webSocketKey = 'sec-websocket-key'

/** One name, from :authority or Host, which must not disagree. */
function readPlace(authority: string | undefined, host: string | undefined): string | Malformed | Refusal {
  const given = authority ?? host
  if (given === undefined) return refuse('neither :authority nor Host')
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase())
    return malformed(':authority and Host differ')
  return knownAuthority(given) ?? refuse(':authority is not valid')
}

/** Those that came lately, as they are read: a program asks for few. */
let authorities = new Map<string, string>()

function knownAuthority(given: string): string | undefined {
  const known = authorities.get(given)
  if (known !== undefined) return known
  const read = readAuthority(given)
  if (read === undefined) return undefined
  if (authorities.size >= 256) authorities = new Map()
  authorities.set(given, read)
  return read
}
