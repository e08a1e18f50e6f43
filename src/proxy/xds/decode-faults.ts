import type { Any } from '@bufbuild/protobuf/wkt'
import { httpStatusOfGrpc } from '../../base/grpc.ts'
import { FaultDelaySchema, type FaultDelay } from '../../xds/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts'
import {
  FaultAbortSchema,
  HTTPFaultSchema,
  type FaultAbort,
} from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { InjectedFaults } from '../config.ts'
import { durationMs, headerMatch, shareOf } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames('delay abort headers')
const delayFields = fieldNames('fixed_delay percentage')
const abortFields = fieldNames('http_status grpc_status percentage')

/** What a route, or the filter itself, says of faults; undefined: nothing. Source: envoy HTTPFault. */
export function decodeFaults(any: Any, path: string, refused: Refusals): InjectedFaults | undefined {
  const fault = open(any, HTTPFaultSchema, path, refused)
  if (fault === undefined) return undefined
  knowOnly(HTTPFaultSchema, fault, known, path, refused)
  if (fault.delay === undefined && fault.abort === undefined) return undefined
  return {
    ...(fault.delay && { delay: decodeDelay(fault.delay, join(path, 'delay'), refused) }),
    ...(fault.abort && { abort: decodeAbort(fault.abort, join(path, 'abort'), refused) }),
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
