import {
  Http1ProtocolOptions_HeaderKeyFormatSchema as HeaderKeyFormatSchema,
  Http1ProtocolOptionsSchema,
  type Http1ProtocolOptions,
} from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import { PreserveCaseFormatterConfigSchema } from '../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts'
import type { HeaderCase, HttpTerminal } from '../config.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

// HTTP/1.0, targets that are URLs, trailers and methods of every name are taken in any case.
const serverFields = fieldNames(
  'allow_absolute_url accept_http_10 default_host_for_http_10 header_key_format enable_trailers allow_custom_methods',
)

/** Host name, IPv4 or bracketed IPv6, and a port or none. */
const hostForm = /^(?:[a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i

/** What HTTP/1 of clients is like. */
export function decodeHttp1Server(
  options: Http1ProtocolOptions | undefined,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'defaultHost' | 'headerCase'> {
  if (options === undefined) return {}
  knowOnly(Http1ProtocolOptionsSchema, options, serverFields, path, refused)
  if (options.allowAbsoluteUrl === false) refused.add(join(path, 'allow_absolute_url'), 'false is not supported')
  const given = options.defaultHostForHttp10
  const defaultHost = hostForm.test(given) ? given.toLowerCase() : undefined
  if (given !== '' && defaultHost === undefined)
    refused.add(join(path, 'default_host_for_http_10'), `expected a host, with a port or without, got ${given}`)
  if (given !== '' && !options.acceptHttp10)
    refused.add(join(path, 'default_host_for_http_10'), 'expected accept_http_10 beside it')
  return { ...(defaultHost && { defaultHost }), ...decodeHeaderCase(options, path, refused) }
}

const clientFields = fieldNames('header_key_format enable_trailers')

/** What HTTP/1 towards endpoints is like. */
export function decodeHttp1Client(
  options: Http1ProtocolOptions | undefined,
  path: string,
  refused: Refusals,
): { readonly headerCase?: HeaderCase } {
  if (options === undefined) return {}
  knowOnly(Http1ProtocolOptionsSchema, options, clientFields, path, refused)
  return decodeHeaderCase(options, path, refused)
}

const formatFields = fieldNames('proper_case_words stateful_formatter')
// What our own fields would be written as, and reason phrases, are not asked.
const formatterFields: ReadonlySet<string> = new Set()

function decodeHeaderCase(
  { headerKeyFormat: format }: Http1ProtocolOptions,
  path: string,
  refused: Refusals,
): { readonly headerCase?: HeaderCase } {
  if (format === undefined) return {}
  const at = join(path, 'header_key_format')
  knowOnly(HeaderKeyFormatSchema, format, formatFields, at, refused)
  const { headerFormat: by } = format
  if (by.case === 'properCaseWords') return { headerCase: 'words' }
  if (by.case === undefined) {
    refused.add(at, 'expected proper_case_words or stateful_formatter')
    return {}
  }
  const inner = join(at, 'stateful_formatter.typed_config')
  const any = by.value.typedConfig
  if (any === undefined) refused.add(inner, 'is missing')
  const formatter = any && open(any, PreserveCaseFormatterConfigSchema, inner, refused)
  if (formatter !== undefined) knowOnly(PreserveCaseFormatterConfigSchema, formatter, formatterFields, inner, refused)
  return { headerCase: 'kept' }
}
