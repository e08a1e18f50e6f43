import type { Any } from '@bufbuild/protobuf/wkt'
import { httpStatusOfGrpc } from '../../base/grpc.ts'
import {
  FaultDelaySchema,
  FaultRateLimit_FixedLimitSchema,
  FaultRateLimitSchema,
  type FaultDelay,
  type FaultRateLimit,
} from '../../xds/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts'
import {
  FaultAbortSchema,
  HTTPFaultSchema,
  type FaultAbort,
} from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { InjectedFaults } from '../config.ts'
import { durationMs, headerMatch, shareOf } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames('delay abort headers response_rate_limit')
const delayFields = fieldNames('fixed_delay percentage')
const abortFields = fieldNames('http_status grpc_status percentage')
const rateFields = fieldNames('fixed_limit percentage')
const fixedFields = fieldNames('limit_kbps')

/** What a route, or the filter itself, says of faults; undefined: nothing. Source: envoy HTTPFault. */
export function decodeFaults(any: Any, path: string, refused: Refusals): InjectedFaults | undefined {
  const fault = open(any, HTTPFaultSchema, path, refused)
  if (fault === undefined) return undefined
  knowOnly(HTTPFaultSchema, fault, known, path, refused)
  const { delay, abort, responseRateLimit: rate } = fault
  if (delay === undefined && abort === undefined && rate === undefined) return undefined
  return {
    ...(delay && { delay: decodeDelay(delay, join(path, 'delay'), refused) }),
    ...(abort && { abort: decodeAbort(abort, join(path, 'abort'), refused) }),
    ...(rate && { bandwidth: decodeRate(rate, join(path, 'response_rate_limit'), refused) }),
    headers: fault.headers.map((one, index) => headerMatch(one, join(path, `headers[${index}]`), refused)),
  }
}

function decodeDelay(delay: FaultDelay, path: string, refused: Refusals): NonNullable<InjectedFaults['delay']> {
  knowOnly(FaultDelaySchema, delay, delayFields, path, refused)
  const { faultDelaySecifier: by, percentage } = delay
  const ms = by.case === 'fixedDelay' ? durationMs(by.value, 0, join(path, 'fixed_delay'), refused) : 0
  if (by.case === undefined) refused.add(join(path, 'fixed_delay'), 'is missing')
  return { ms, share: shareOf(percentage, 0) }
}

function decodeAbort(abort: FaultAbort, path: string, refused: Refusals): NonNullable<InjectedFaults['abort']> {
  knowOnly(FaultAbortSchema, abort, abortFields, path, refused)
  const { errorType: by, percentage } = abort
  const share = shareOf(percentage, 0)
  if (by.case === 'grpcStatus') {
    if (by.value < 1 || by.value > 16) refused.add(join(path, 'grpc_status'), `expected 1 to 16, got ${by.value}`)
    return { status: httpStatusOfGrpc(by.value), grpcStatus: by.value, share }
  }
  const status = by.case === 'httpStatus' ? by.value : 0
  if (by.case === undefined) refused.add(path, 'expected http_status or grpc_status')
  else if (status < 400 || status > 599) refused.add(join(path, 'http_status'), `expected 400 to 599, got ${status}`)
  return { status, share }
}

/** Its "kbps" are KiB a second. Source: envoy FaultRateLimit.FixedLimit. */
function decodeRate(rate: FaultRateLimit, path: string, refused: Refusals): NonNullable<InjectedFaults['bandwidth']> {
  knowOnly(FaultRateLimitSchema, rate, rateFields, path, refused)
  const { limitType: by, percentage } = rate
  const share = shareOf(percentage, 0)
  const at = join(path, 'fixed_limit')
  if (by.case === undefined) refused.add(at, 'is missing')
  if (by.case !== 'fixedLimit') return { bytesPerSecond: 1, share }
  knowOnly(FaultRateLimit_FixedLimitSchema, by.value, fixedFields, at, refused)
  if (by.value.limitKbps < 1n) refused.add(join(at, 'limit_kbps'), 'expected 1 or more, got 0')
  return { bytesPerSecond: Math.max(1, Number(by.value.limitKbps) * 1024), share }
}
