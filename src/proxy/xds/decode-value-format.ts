import { hostname } from 'node:os'
import { compileStrftime } from '../../base/strftime.ts'
import { asWireText } from '../../base/string-match.ts'
import type { ValueCommand, ValuePart } from '../config.ts'
import type { Refusals } from './refusals.ts'
import { plainCommands, sessionMetadata, type ValuePlace } from './value-commands.ts'

/** A command may have an argument, in which there may be a %, and a greatest length. */
const command = /%%|%([A-Z][A-Z0-9_]*)(?:\((.*?)\))?(?::(\d+))?%|%|[^%]+/gs

/**
 * Text with commands (`%…%`): text, or its parts. Commands that are not known in this place are refused by name. Text of headers becomes
 * what it is on the wire.
 */
export function decodeValueFormat(
  written: string,
  place: ValuePlace,
  path: string,
  refused: Refusals,
): string | readonly ValuePart[] {
  if (!written.includes('%')) return written
  const isHeader = place === 'request' || place === 'response'
  const parts = Array.from(written.matchAll(command), ([whole, name, argument, longest]): ValuePart => {
    if (whole === '%%') return '%'
    if (name === undefined) {
      if (whole === '%') refused.add(path, 'has a single %; write %% for one')
      return isHeader ? asWireText(whole) : whole
    }
    const known = part({ name, argument, longest: longest === undefined ? undefined : Number(longest) }, place)
    if (known === undefined) refused.add(path, `the command ${whole} is not supported`)
    else if (typeof known === 'string') refused.add(path, `the command ${whole} ${known}`)
    return typeof known === 'object' ? known : whole
  })
  return parts.every((one) => typeof one === 'string') ? written.replaceAll('%%', '%') : parts
}

interface Written {
  readonly name: string
  readonly argument: string | undefined
  readonly longest: number | undefined
}

/** Undefined: not known here. A sentence: what is wrong with it. */
function part({ name, argument, longest }: Written, place: ValuePlace): ValueCommand | string | undefined {
  const most = longest === undefined ? {} : { longest }
  const kind = fieldKinds[name]
  if (kind !== undefined) {
    if (kind === 'response-header' && place === 'request') return undefined
    if (kind === 'response-trailer' && (place === 'request' || place === 'response')) return undefined
    const names = (argument ?? '').toLowerCase().split('?')
    if (names.length > 2 || names.some((one) => !/^:?[a-z0-9!#$&'*+\-.^_`|~]+$/.test(one))) return undefined
    return { kind, names, ...most }
  }
  if (place === 'session' && name === 'DYNAMIC_METADATA') {
    const told = sessionMetadata[argument ?? '']
    return told && longest === undefined ? { kind: told } : undefined
  }
  if (longest !== undefined) return undefined
  if (place !== 'request' && place !== 'response') {
    const found = ofLogs(name, argument)
    if (found !== undefined) return found
  }
  const plain = argument === undefined ? plainCommands[place][name] : undefined
  return plain && { kind: plain }
}

const fieldKinds: Readonly<Record<string, 'request-header' | 'response-header' | 'response-trailer'>> = {
  REQ: 'request-header',
  REQUEST_HEADER: 'request-header',
  RESP: 'response-header',
  RESPONSE_HEADER: 'response-header',
  TRAILER: 'response-trailer',
  RESPONSE_TRAILER: 'response-trailer',
}

const times: Readonly<Record<string, { readonly kind: 'start-time' | 'emit-time'; readonly local?: true }>> = {
  START_TIME: { kind: 'start-time' },
  START_TIME_LOCAL: { kind: 'start-time', local: true },
  EMIT_TIME: { kind: 'emit-time' },
  EMIT_TIME_LOCAL: { kind: 'emit-time', local: true },
}

const validity: Readonly<Record<string, 'peer-valid-from' | 'peer-valid-until'>> = {
  DOWNSTREAM_PEER_CERT_V_START: 'peer-valid-from',
  DOWNSTREAM_PEER_CERT_V_END: 'peer-valid-until',
}

/** Where nothing else is said. Source: Envoy, `%START_TIME%`. */
const usualTime = '%Y-%m-%dT%H:%M:%E3SZ'

/** Known in every log: times, and what does not change. */
function ofLogs(name: string, argument: string | undefined): ValueCommand | string | undefined {
  const time = times[name]
  const valid = validity[name]
  if (time !== undefined || valid !== undefined) {
    const pattern = argument || usualTime
    const writer = compileStrftime(pattern)
    if (typeof writer === 'string') return writer
    return { ...(time ?? { kind: valid ?? 'peer-valid-from' }), pattern }
  }
  switch (name) {
    case 'GRPC_STATUS':
      return grpcStatus(argument ?? 'CAMEL_STRING')
    case 'GRPC_STATUS_NUMBER':
      return argument === undefined ? { kind: 'grpc-status', as: 'number' } : undefined
    case 'HOSTNAME':
      return argument === undefined ? { kind: 'constant', value: hostname() } : undefined
    case 'ENVIRONMENT':
      return argument ? { kind: 'constant', value: process.env[argument] ?? '-' } : 'names no variable'
    // Virtual clusters are refused where they stand, so there are none.
    case 'VIRTUAL_CLUSTER_NAME':
      return argument === undefined ? { kind: 'constant', value: undefined } : undefined
    default:
      return undefined
  }
}

function grpcStatus(as: string): ValueCommand | string {
  switch (as) {
    case '':
    case 'CAMEL_STRING':
      return { kind: 'grpc-status', as: 'camel' }
    case 'SNAKE_STRING':
      return { kind: 'grpc-status', as: 'snake' }
    case 'NUMBER':
      return { kind: 'grpc-status', as: 'number' }
    default:
      return 'expected CAMEL_STRING, SNAKE_STRING or NUMBER'
  }
}
