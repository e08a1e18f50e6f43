const start = 'PRI * HTTP/2.0\r\n'

/** Which HTTP a client speaks: 2 only if it begins as its preface does, which no request of HTTP/1 can. Source: RFC 9113, section 3.4. */
export function looksLikeHttp2(bytes: Buffer): 1 | 2 | 'more' {
  const text = bytes.toString('latin1', 0, start.length)
  if (!start.startsWith(text)) return 1
  return text.length < start.length ? 'more' : 2
}
