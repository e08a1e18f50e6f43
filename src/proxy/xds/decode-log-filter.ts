import {
  AccessLogFilterSchema,
  AndFilterSchema,
  ComparisonFilterSchema,
  ComparisonFilter_Op as Op,
  DurationFilterSchema,
  GrpcStatusFilterSchema,
  HeaderFilterSchema,
  OrFilterSchema,
  ResponseFlagFilterSchema,
  RuntimeFilterSchema,
  StatusCodeFilterSchema,
  type AccessLogFilter,
  type ComparisonFilter,
  type RuntimeFilter,
} from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { RuntimeUInt32Schema } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { LogFilter } from '../config.ts'
import { fractionOf, headerMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'
import type { ValuePlace } from './value-commands.ts'

const filterFields = fieldNames(`status_code_filter duration_filter not_health_check_filter runtime_filter and_filter
  or_filter header_filter response_flag_filter grpc_status_filter`)
const comparisonFilterFields = fieldNames('comparison')
const runtimeFields = fieldNames('runtime_key percent_sampled use_independent_randomness')
const listFields = fieldNames('filters')
const headerFields = fieldNames('header')
const flagFields = fieldNames('flags')
const grpcFields = fieldNames('statuses exclude')

/** Which calls or connections a log tells. There is no runtime to be asked: of its keys the values given beside them hold. */
export function decodeLogFilter(
  filter: AccessLogFilter,
  place: ValuePlace,
  path: string,
  refused: Refusals,
): LogFilter | undefined {
  knowOnly(AccessLogFilterSchema, filter, filterFields, path, refused)
  const { case: kind, value } = filter.filterSpecifier
  switch (kind) {
    case 'statusCodeFilter': {
      const at = join(path, 'status_code_filter')
      knowOnly(StatusCodeFilterSchema, value, comparisonFilterFields, at, refused)
      return { kind: 'status', ...comparison(value.comparison, join(at, 'comparison'), refused) }
    }
    case 'durationFilter': {
      const at = join(path, 'duration_filter')
      knowOnly(DurationFilterSchema, value, comparisonFilterFields, at, refused)
      return { kind: 'duration', ...comparison(value.comparison, join(at, 'comparison'), refused) }
    }
    // No filter here answers health checks by itself: none of the calls is one.
    case 'notHealthCheckFilter':
      return { kind: 'always' }
    case 'runtimeFilter':
      return share(value, join(path, 'runtime_filter'), refused)
    case 'andFilter': {
      const at = join(path, 'and_filter')
      knowOnly(AndFilterSchema, value, listFields, at, refused)
      return { kind: 'all', of: list(value.filters, place, join(at, 'filters'), refused) }
    }
    case 'orFilter': {
      const at = join(path, 'or_filter')
      knowOnly(OrFilterSchema, value, listFields, at, refused)
      return { kind: 'any', of: list(value.filters, place, join(at, 'filters'), refused) }
    }
    case 'headerFilter': {
      const at = join(path, 'header_filter')
      knowOnly(HeaderFilterSchema, value, headerFields, at, refused)
      if (place !== 'call') refused.add(at, 'is not supported: connections have no headers')
      if (value.header === undefined) refused.add(join(at, 'header'), 'is missing')
      return value.header && { kind: 'header', match: headerMatch(value.header, join(at, 'header'), refused) }
    }
    case 'responseFlagFilter': {
      const at = join(path, 'response_flag_filter')
      knowOnly(ResponseFlagFilterSchema, value, flagFields, at, refused)
      for (const [index, flag] of value.flags.entries())
        if (!flags.has(flag)) refused.add(join(at, `flags[${index}]`), `${flag} is no response flag`)
      return { kind: 'flags', oneOf: value.flags }
    }
    case 'grpcStatusFilter': {
      const at = join(path, 'grpc_status_filter')
      knowOnly(GrpcStatusFilterSchema, value, grpcFields, at, refused)
      return { kind: 'grpc-status', oneOf: value.statuses, exclude: value.exclude }
    }
    case undefined:
      refused.add(path, 'is empty')
      return undefined
    // What `knowOnly` has refused.
    default:
      return undefined
  }
}

function list(
  filters: readonly AccessLogFilter[],
  place: ValuePlace,
  path: string,
  refused: Refusals,
): readonly LogFilter[] {
  if (filters.length < 2) refused.add(path, `expected at least two, got ${filters.length}`)
  return filters.flatMap((one, index) => decodeLogFilter(one, place, `${path}[${index}]`, refused) ?? [])
}

const comparisonFields = fieldNames('op value')
const valueFields = fieldNames('default_value runtime_key')
const ops: Readonly<Record<number, '=' | '>=' | '<=' | '!='>> = {
  [Op.EQ]: '=',
  [Op.GE]: '>=',
  [Op.LE]: '<=',
  [Op.NE]: '!=',
}

function comparison(
  given: ComparisonFilter | undefined,
  path: string,
  refused: Refusals,
): { readonly op: '=' | '>=' | '<=' | '!='; readonly value: number } {
  const at = join(path, 'value')
  const op = given && ops[given.op]
  if (given !== undefined) knowOnly(ComparisonFilterSchema, given, comparisonFields, path, refused)
  if (op === undefined) refused.add(given === undefined ? path : join(path, 'op'), 'is missing or not known')
  const limit = given?.value
  if (limit === undefined) refused.add(at, 'is missing')
  else knowOnly(RuntimeUInt32Schema, limit, valueFields, at, refused)
  return { op: op ?? '=', value: limit?.defaultValue ?? 0 }
}

function share(filter: RuntimeFilter, path: string, refused: Refusals): LogFilter {
  knowOnly(RuntimeFilterSchema, filter, runtimeFields, path, refused)
  const part = filter.percentSampled
  // Source: RuntimeFilter: without a share of its own the runtime decides, and there is none.
  const { numerator, denominator } = part === undefined ? { numerator: 0, denominator: 100 } : fractionOf(part)
  return { kind: 'share', numerator, denominator, independent: filter.useIndependentRandomness }
}

/** Source: envoy.config.accesslog.v3.ResponseFlagFilter. */
const flags: ReadonlySet<string> = new Set(
  'LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DO DR UDO'.split(' '),
)
