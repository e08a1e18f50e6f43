import { asWireText } from '../../base/string-match.ts'
import type { ValuePart } from '../config.ts'
import type { Refusals } from './refusals.ts'

const plain: Readonly<Record<string, ValuePart>> = {
  DOWNSTREAM_REMOTE_ADDRESS: { kind: 'remote-address' },
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: { kind: 'remote-address' },
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: { kind: 'remote-host' },
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: { kind: 'remote-host' },
  DOWNSTREAM_LOCAL_ADDRESS: { kind: 'local-address' },
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: { kind: 'local-host' },
  DOWNSTREAM_LOCAL_PORT: { kind: 'local-port' },
  DOWNSTREAM_PEER_URI_SAN: { kind: 'peer-uri' },
  PROTOCOL: { kind: 'protocol' },
}
/** Known once there is a reply. */
const ofReply: Readonly<Record<string, ValuePart>> = {
  RESPONSE_CODE: { kind: 'response-code' },
  UPSTREAM_CLUSTER: { kind: 'cluster' },
  UPSTREAM_HOST: { kind: 'upstream-host' },
}

const command = /%%|%([A-Z_]+)(?:\(([^()%]*)\))?(?::(\d+))?%|%|[^%]+/g

/** The value of an added header: text, or its parts. Commands that we do not know are refused by name. */
export function decodeValueFormat(
  written: string,
  side: 'request' | 'response',
  path: string,
  refused: Refusals,
): string | readonly ValuePart[] {
  if (!written.includes('%')) return written
  const parts = Array.from(written.matchAll(command), ([whole, name, argument, longest]): ValuePart => {
    if (whole === '%%') return '%'
    if (name === undefined) {
      if (whole === '%') refused.add(path, 'has a single %; write %% for one')
      return asWireText(whole)
    }
    const known = part(name, argument, longest === undefined ? undefined : Number(longest), side)
    if (known === undefined) refused.add(path, `the command ${whole} is not supported`)
    return known ?? whole
  })
  return parts.every((one) => typeof one === 'string') ? written.replaceAll('%%', '%') : parts
}

function part(
  name: string,
  argument: string | undefined,
  longest: number | undefined,
  side: 'request' | 'response',
): ValuePart | undefined {
  const isRequest = name === 'REQ' || name === 'REQUEST_HEADER'
  if (isRequest || (side === 'response' && (name === 'RESP' || name === 'RESPONSE_HEADER'))) {
    const names = (argument ?? '').toLowerCase().split('?')
    if (names.length > 2 || names.some((one) => !/^:?[a-z0-9!#$&'*+\-.^_`|~]+$/.test(one))) return undefined
    const kind = isRequest ? 'request-header' : 'response-header'
    return { kind, names, ...(longest === undefined ? {} : { longest }) }
  }
  if (argument !== undefined || longest !== undefined) return undefined
  return plain[name] ?? (side === 'response' ? ofReply[name] : undefined)
}
