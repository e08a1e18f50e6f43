import { Field, fixName, indexing } from './field.ts'

/** In order, from 1 on. Source: RFC 7541, appendix A. */
const lines = `:authority
:method=GET
:method=POST
:path=/
:path=/index.html
:scheme=http
:scheme=https
:status=200
:status=204
:status=206
:status=304
:status=400
:status=404
:status=500
accept-charset
accept-encoding=gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n')

/** Entry i is at i − 1. */
export const staticTable: readonly Field[] = lines.map((line, index) => {
  const equals = line.indexOf('=')
  const name = equals < 0 ? line : line.slice(0, equals)
  return new Field(fixName(name, index + 1), equals < 0 ? '' : line.slice(equals + 1), indexing.yes, index + 1)
})
export const staticCount: number = staticTable.length

/** The static field with this name and value, or undefined. */
export function staticField(name: string, value: string): Field | undefined {
  return staticTable.find((field) => field.name === name && field.value === value)
}
