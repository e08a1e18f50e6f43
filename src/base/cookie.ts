/** The first cookie of that name, without quotes; undefined when there is none or it is empty. Header names in lower case. */
export function cookieValue(
  headers: Iterable<{ readonly name: string; readonly value: string }>,
  name: string,
): string | undefined {
  for (const field of headers) {
    if (field.name !== 'cookie') continue
    for (const pair of field.value.split(';')) {
      const at = pair.indexOf('=')
      if (at < 0 || pair.slice(0, at).trim() !== name) continue
      return (
        pair
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/, '$1') || undefined
      )
    }
  }
  return undefined
}

/** What a cookie has besides its value. */
export interface CookieRules {
  /** Seconds; 0: until the browser is closed. */
  readonly ttlS: number
  /** "" leaves it out. */
  readonly path: string
  /** "name" or "name=value". */
  readonly attributes: readonly string[]
}

/** A Set-Cookie that no script reads. Source: RFC 6265, section 4.1. */
export function setCookie(name: string, value: string, { ttlS, path, attributes }: CookieRules): string {
  const parts = [
    `${name}="${value}"`,
    ...(ttlS > 0 ? [`Max-Age=${ttlS}`] : []),
    ...(path === '' ? [] : [`Path=${path}`]),
    ...attributes,
    'HttpOnly',
  ]
  return parts.join('; ')
}
