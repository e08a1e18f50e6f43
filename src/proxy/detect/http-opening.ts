/** What plain text begins with, named as ALPN would. */
export type HttpOpening = 'http/1.0' | 'http/1.1' | 'h2c' | 'other'

const preface = 'PRI * HTTP/2.0\r\n'
/** Longer first lines are no request's. */
const longestLine = 16 * 1024
const requestLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64} [\x21-\x7e]+ HTTP\/1\.([01])\r?$/
const beginning = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}(?: [\x20-\x7e]*\r?)?$/

/** Which HTTP a client speaks, by its first line; "more": that is not here yet. Source: Envoy, listener filter http_inspector. */
export function readHttpOpening(bytes: Buffer): HttpOpening | 'more' {
  const text = bytes.toString('latin1', 0, longestLine)
  if (preface.startsWith(text.slice(0, preface.length))) return text.length < preface.length ? 'more' : 'h2c'
  const end = text.indexOf('\n')
  if (end < 0) return text.length < longestLine && beginning.test(text) ? 'more' : 'other'
  const minor = requestLine.exec(text.slice(0, end))?.[1]
  return minor === undefined ? 'other' : minor === '0' ? 'http/1.0' : 'http/1.1'
}
