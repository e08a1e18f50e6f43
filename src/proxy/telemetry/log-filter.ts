import type { Random } from '../../base/random.ts'
import { grpcStatus } from '../../base/grpc.ts'
import type { HeaderMatch, LogFilter } from '../config.ts'
import type { Known } from '../format/known.ts'
import { repliedGrpcStatus } from '../format/value-of.ts'
import { headerValue } from '../http/headers.ts'
import type { Call } from '../http/service.ts'

/** What filters need from outside. */
export interface FilterParts {
  readonly random: Random
  /** The test for what a call's header has to be. */
  readonly headerTest: (match: HeaderMatch) => ((call: Call) => boolean) | undefined
}

/** Compiles a filter: whether a call or connection that is over is told. Done once per configuration. */
export function compileFilter(filter: LogFilter, parts: FilterParts): (known: Known) => boolean {
  switch (filter.kind) {
    case 'always':
      return () => true
    case 'all':
    case 'any': {
      const tests = filter.of.map((one) => compileFilter(one, parts))
      return filter.kind === 'all'
        ? (known) => tests.every((test) => test(known))
        : (known) => tests.some((test) => test(known))
    }
    case 'status': {
      const compare = comparison(filter)
      return ({ end }) => compare(end?.status ?? 0)
    }
    case 'duration': {
      const compare = comparison(filter)
      return ({ end }) => compare(Math.floor(end?.durationMs ?? 0))
    }
    case 'header': {
      const test = parts.headerTest(filter.match)
      return ({ call }) => call !== undefined && test !== undefined && test(call)
    }
    case 'flags': {
      const wanted = new Set(filter.oneOf)
      return ({ end }) => end?.flags.some((flag) => wanted.size === 0 || wanted.has(flag)) === true
    }
    case 'grpc-status': {
      const wanted = new Set(filter.oneOf)
      return (known) => wanted.has(repliedGrpcStatus(known) ?? grpcStatus.unknown) !== filter.exclude
    }
    case 'share':
      return share(filter, parts.random)
  }
}

function comparison({ op, value }: LogFilter & { readonly kind: 'status' | 'duration' }): (one: number) => boolean {
  switch (op) {
    case '=':
      return (one) => one === value
    case '>=':
      return (one) => one >= value
    case '<=':
      return (one) => one <= value
    case '!=':
      return (one) => one !== value
  }
}

/** By the first eight digits of the request's UUID. Source: Envoy, RuntimeFilter and UUIDRequestIDExtension. */
function share(
  { numerator, denominator, independent }: LogFilter & { readonly kind: 'share' },
  random: Random,
): (known: Known) => boolean {
  return ({ call }) => {
    const id = independent ? undefined : call && headerValue(call.headers, 'x-request-id')
    const digits = /^[0-9a-f]{8}(?=-)/i.exec(id ?? '')?.[0]
    const drawn = digits === undefined ? random.index(denominator) : Number.parseInt(digits, 16) % denominator
    return drawn < numerator
  }
}
